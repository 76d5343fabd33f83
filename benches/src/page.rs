//! Tables in pages of documentation, made by the programs that measure.

/// The page with `text` between the comments `<!-- name: begin -->` and `<!-- name: end -->`, instead of
/// what was there before.
///
/// # Errors
///
/// If the page lacks one of the two.
pub fn put_between(page: &str, name: &str, text: &str) -> Result<String, String> {
    let begin = format!("<!-- {name}: begin -->");
    let end = format!("<!-- {name}: end -->");
    let (before, rest) = page
        .split_once(&begin)
        .ok_or_else(|| format!("no line {begin}"))?;
    let (_, after) = rest
        .split_once(&end)
        .ok_or_else(|| format!("no line {end} behind {begin}"))?;
    Ok(format!("{before}{begin}\n\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::put_between;

    #[test]
    fn what_was_between_the_marks_is_replaced() {
        let page = "above\n<!-- a: begin -->\nold\n<!-- a: end -->\nbelow\n";
        let new = put_between(page, "a", "new").unwrap();
        assert_eq!(
            new,
            "above\n<!-- a: begin -->\n\nnew\n<!-- a: end -->\nbelow\n"
        );
        assert_eq!(put_between(&new, "a", "new").unwrap(), new);
    }

    #[test]
    fn a_page_without_the_marks_is_refused() {
        assert!(put_between("text", "a", "new").is_err());
        assert!(put_between("<!-- a: begin -->", "a", "new").is_err());
        assert!(put_between("<!-- b: begin --><!-- b: end -->", "a", "new").is_err());
    }
}
