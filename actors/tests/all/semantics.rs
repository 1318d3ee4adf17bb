//! Every promise of `docs/semantics.md` names tests that exist, and so does any other page that names some.

use std::fs;
use std::path::Path;

#[test]
fn the_tests_that_the_promises_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut named = 0;
    for entry in fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        for reference in page.split('`').filter(|text| text.contains(".rs::")) {
            let (file, test) = reference.split_once("::").unwrap();
            let source =
                fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            // Bodies of the suites of hosts and of transports are generic.
            let forms = [
                format!("fn {test}()"),
                format!("conformance!({test}"),
                format!("async fn {test}<T: Transport>()"),
            ];
            assert!(
                forms.iter().any(|form| source.contains(form)),
                "{} names {reference}, which does not exist",
                path.display()
            );
            named += usize::from(path.ends_with("semantics.md"));
        }
    }
    assert!(named >= 20, "only {named} tests are named: has the form of the page changed?");
}
