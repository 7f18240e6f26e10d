//! The pages of the repository: their code blocks, and the command lines in these.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of the repository's own.
const OTHERS: [&str; 5] = ["target", "runs", "corpus", "artifacts", "book"];

/// A fenced code block.
#[derive(Debug)]
pub struct Block {
    /// The page and the line that it begins in, for messages.
    pub place: String,
    /// The first word behind the fence.
    pub language: String,
    pub text: String,
}

/// The text of every page below `root`, in order.
pub fn pages(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    walk(root, &mut found);
    found.sort();
    assert!(found.len() > 20, "these are not all pages: {found:?}");
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || OTHERS.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// Every code block of the pages that a person wrote; a model's card is made with its bundle.
pub fn blocks(root: &Path, language: &str) -> Vec<Block> {
    let written = pages(root).into_iter().filter(|(path, _)| !path.ends_with("MODEL_CARD.md"));
    let all = written.flat_map(|(path, text)| of_page(&path, &text));
    all.filter(|block| language.is_empty() || block.language == language).collect()
}

fn of_page(path: &Path, text: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for (i, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                let place = format!("{}:{}", path.display(), i + 1);
                let language = info.split([',', ' ']).next().unwrap_or_default().to_owned();
                open = Some(Block { place, language, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a code block does not end", path.display());
    blocks
}

/// The commands of a shell block, each as its words: without comments, variables before a command and redirections.
pub fn commands(text: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        let mut command = Vec::new();
        let mut words = words(line).into_iter();
        while let Some(word) = words.next() {
            match &*word {
                ">" => drop(words.next()),
                "&&" | "||" | "|" | ";" => commands.push(std::mem::take(&mut command)),
                _ if command.is_empty() && is_assignment(&word) => {}
                _ => command.push(word),
            }
        }
        commands.push(command);
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// `NAME=value`.
pub fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_uppercase()))
}

/// What the shell would make of a line with plain and quoted words.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
