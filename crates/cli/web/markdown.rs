//! Markdown to HTML. Text of files stays text: HTML in it is shown, not obeyed.

use std::collections::BTreeMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::escaped;

/// Figures by name, as SVG.
pub type Figures = BTreeMap<String, String>;

/// Renders pages with these figures.
pub struct Renderer {
    figures: Figures,
}

impl Renderer {
    pub fn new(figures: Figures) -> Self {
        Self { figures }
    }

    /// The text as HTML; an image whose target is a figure's name becomes that figure.
    pub fn html(&self, text: &str) -> String {
        let mut out = String::new();
        let mut figure: Option<(&String, String)> = None;
        let parser = Parser::new_ext(text, Options::ENABLE_TABLES);
        let events = parser.flat_map(|event| match event {
            Event::Start(Tag::Image { dest_url, .. }) if self.figures.contains_key(&*dest_url) => {
                figure = self.figures.get(&*dest_url).map(|svg| (svg, String::new()));
                Vec::new()
            }
            Event::End(TagEnd::Image) if figure.is_some() => {
                figure.take().map(|(svg, caption)| framed(svg, &caption)).into_iter().collect()
            }
            Event::Text(words) if figure.is_some() => {
                figure.iter_mut().for_each(|(_, caption)| caption.push_str(&words));
                Vec::new()
            }
            // Wide tables are scrolled, not the page.
            Event::Start(Tag::Table(_)) => vec![Event::Html("<div class=\"wide\">".into()), event],
            Event::End(TagEnd::Table) => vec![event, Event::Html("</div>\n".into())],
            Event::Html(words) | Event::InlineHtml(words) => vec![Event::Text(words)],
            other => vec![other],
        });
        html::push_html(&mut out, events);
        out
    }

    /// The same behind a title that opens it.
    pub fn folded(&self, title: &str, text: &str) -> String {
        format!("<details><summary>{}</summary>\n{}</details>\n", escaped(title), self.html(text))
    }
}

fn framed<'a>(svg: &str, caption: &str) -> Event<'a> {
    let caption = escaped(caption);
    Event::Html(CowStr::from(format!("<span class=\"figure\" role=\"img\" aria-label=\"{caption}\">{svg}</span>")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::document;

    fn renderer() -> Renderer {
        Renderer::new(Figures::from([("a".to_owned(), "<svg>1</svg>".to_owned())]))
    }

    #[test]
    fn figures_are_in_the_page() {
        let html = renderer().html("![What \"it\" is](a)\n\n![other](b.svg)\n");
        assert!(html.contains("aria-label=\"What &quot;it&quot; is\"><svg>1</svg></span>"), "{html}");
        assert!(html.contains("<img src=\"b.svg\" alt=\"other\""), "{html}");
    }

    #[test]
    fn nothing_of_a_file_is_obeyed() {
        let text = "a <script>alert(1)</script>\n\n<script>\nalert(2)\n</script>\n\n| <b>x</b> |\n|---|\n| 1 |\n";
        let html = renderer().html(text) + &renderer().folded("<i>", text) + &document("</title>", "", "", None);
        assert!(!["<script", "<b>", "<i>", "<title></title>"].iter().any(|tag| html.contains(tag)), "{html}");
    }

    #[test]
    fn tables_can_be_scrolled() {
        let html = renderer().html("| a | b |\n|---|---:|\n| 1 | 2 |\n");
        for part in
            ["<div class=\"wide\"><table>", "<th>a</th>", "text-align: right\">2</td>", "</tbody></table>\n</div>"]
        {
            assert!(html.contains(part), "no {part} in {html}");
        }
    }
}
