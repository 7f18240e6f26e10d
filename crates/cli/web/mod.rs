//! A web page in one file, which asks for nothing else: its own policy forbids it.
//!
//! Pages of text are Markdown and figures; only [`Renderer`] knows their HTML.

mod markdown;

pub use markdown::{Figures, Renderer};

/// The style sheet of pages of text.
pub const STYLE: &str = include_str!("page.css");

/// A whole page: its title, its style sheet, and what is in it. `script`, if any, runs at the end.
pub fn document(title: &str, style: &str, body: &str, script: Option<&str>) -> String {
    let (allowed, script) = match script {
        Some(script) => ("; script-src 'unsafe-inline'", format!("<script>\n{script}</script>\n")),
        None => ("", String::new()),
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'{allowed}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{style}</style>\n</head>\n\
         <body>\n<main>\n{body}</main>\n{script}</body>\n</html>\n",
        escaped(title)
    )
}

/// As text in HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// As data for a script, in an element of this id.
pub fn data(id: &str, json: &str) -> String {
    // No text may end the element.
    format!("<script type=\"application/json\" id=\"{id}\">{}</script>\n", json.replace('<', "\\u003c"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        let page = document("</title><b>", "", &data("x", "[\"</script><b>\"]"), None);
        assert!(page.contains("<title>&lt;/title&gt;&lt;b&gt;</title>"), "{page}");
        assert!(page.contains(">[\"\\u003c/script>\\u003cb>\"]</script>") && !page.contains("<b>"), "{page}");
        assert!(
            !page.contains("script-src") && document("", "", "", Some("1;")).contains("script-src 'unsafe-inline'\">")
        );
    }
}
