//! Every promise of `docs/semantics.md` names tests that exist.

use std::fs;
use std::path::Path;

#[test]
fn the_tests_that_the_promises_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/semantics.md")).unwrap();
    let mut named = 0;
    for reference in page.split('`').filter(|text| text.contains(".rs::")) {
        let (file, test) = reference.split_once("::").unwrap();
        let source = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            source.contains(&format!("fn {test}()")),
            "docs/semantics.md names {reference}, which does not exist"
        );
        named += 1;
    }
    assert!(named >= 20, "only {named} tests are named: has the form of the page changed?");
}
