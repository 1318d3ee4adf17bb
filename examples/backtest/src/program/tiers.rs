//! The file of `--margin-tiers`: which equity positions need, by size and by asset.

use std::borrow::Cow;
use std::fmt::Write as _;

use mycelium_toml::{Document, Fields, Mistake, TEXT_BYTES_MAX, read, text};

use crate::engine::{MarginTier, MarginTiers};
use crate::limits::MARGIN_TIERS_MAX;

/// What a file looks like.
const SHAPE: &str =
    "[[tier]] with `from = 0`, `initial = 0.02` and `maintenance = 0.01`, and of one asset `asset = \"ES\"`";

/// The steps of a file, with the names of the assets as they stand there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TierFile(Vec<(Option<String>, MarginTier)>);

impl TierFile {
    /// Reads a file. `names` are those that an asset may be called by.
    ///
    /// # Errors
    /// The file, the line, what is wrong and what can be written.
    pub(super) fn read(file: &str, names: &[String]) -> Result<Self, String> {
        let bytes = read(file.as_ref(), TEXT_BYTES_MAX, "a table of margins")
            .map_err(|error| format!("is `{file}`, which cannot be read: {error}"))?;
        text(&bytes)
            .and_then(|text| Self::parse(text, names))
            .map_err(|mistake| format!("is `{file}`, which is no table of margins: {mistake}"))
    }

    fn parse(text: &str, names: &[String]) -> Result<Self, Mistake> {
        let document = Document::parse(text)?;
        let fields = Fields::document(&document, "a table of margins", &["tier"])?;
        let mut tiers: Vec<(Option<String>, MarginTier)> = Vec::new();
        for table in fields.list("tier", MARGIN_TIERS_MAX)? {
            let tier = Fields::new(table, "a tier", &["asset", "from", "initial", "maintenance"])?;
            let asset = tier.string("asset")?.map(Cow::into_owned);
            if let Some(name) = asset.as_ref().filter(|name| !names.contains(name)) {
                let cause = format!("nothing is called `{name}` here; there are {}", names.join(", "));
                return Err(tier.wrong("asset", cause));
            }
            let share = |key: &str| match tier.number(key)? {
                Some(share) if share >= 0.0 => Ok(share),
                Some(share) => {
                    Err(tier.wrong(key, format!("`{key}` is {share}, must be a share from 0; 0.1 is 10 %")))
                }
                None => Err(tier.wrong(key, format!("`{key}` is missing in a tier; write {SHAPE}"))),
            };
            let (initial, maintenance) = (share("initial")?, share("maintenance")?);
            if maintenance > initial {
                let cause = format!(
                    "`maintenance` is {maintenance}, above `initial`, {initial}: a position would be closed \
                     as soon as it is entered; write the smaller of both here"
                );
                return Err(tier.wrong("maintenance", cause));
            }
            let from = tier.number("from")?.unwrap_or(0.0);
            if from < 0.0 {
                return Err(tier.wrong("from", format!("`from` is {from}, must be a value from 0")));
            }
            if tiers.iter().any(|(other, before)| *other == asset && before.from == from) {
                let of = asset.map_or("all assets".to_owned(), |name| format!("`{name}`"));
                let cause = format!("there is a tier of {of} from {from} already: leave one of them out");
                return Err(tier.wrong("from", cause));
            }
            tiers.push((asset, MarginTier { from, initial, maintenance }));
        }
        if tiers.is_empty() {
            return Err(fields.wrong("tier", format!("there is no tier; write {SHAPE}")));
        }
        Ok(Self(tiers))
    }

    /// The model, of assets with these names each.
    pub(super) fn model(&self, own: &[Vec<String>]) -> MarginTiers {
        let of = |wanted: Option<&str>| -> Vec<MarginTier> {
            let mine = self.0.iter().filter(|(asset, _)| asset.as_deref() == wanted);
            mine.map(|(_, tier)| *tier).collect()
        };
        let mut model = MarginTiers::new(of(None));
        for (names, number) in own.iter().zip(0..) {
            let named = names.iter().map(|name| of(Some(name))).find(|tiers| !tiers.is_empty());
            if let Some(tiers) = named {
                model = model.asset(number, tiers);
            }
        }
        model
    }

    /// The steps in words: equal for equal steps.
    pub(super) fn describe(&self) -> String {
        let mut words = String::new();
        for (asset, MarginTier { from, initial, maintenance }) in &self.0 {
            let asset = asset.as_deref().map_or(String::new(), |name| format!("{name} "));
            let between = if words.is_empty() { "" } else { ", " };
            let _ = write!(words, "{between}{asset}{initial}/{maintenance} from {from}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TierFile, String> {
        let names = ["es.csv", "es", "SPY"].map(str::to_owned);
        TierFile::parse(text, &names).map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn steps_are_of_all_assets_or_of_one() {
        let file = parse(
            "[[tier]]\ninitial = 0.02\nmaintenance = 0.01\n[[tier]]\nfrom = 10_000\ninitial = 0.1\n\
             maintenance = 0.05\n[[tier]]\nasset = \"SPY\"\ninitial = 0.5\nmaintenance = 0.25\n",
        )
        .expect("sound");
        let tier = |from, initial, maintenance| MarginTier { from, initial, maintenance };
        let all = [tier(0.0, 0.02, 0.01), tier(10_000.0, 0.1, 0.05)];
        let own = [["es.csv", "es"].map(str::to_owned).to_vec(), vec!["SPY".to_owned()]];
        assert_eq!(file.model(&own), MarginTiers::new(all).asset(1, [tier(0.0, 0.5, 0.25)]));
        assert_eq!(file.describe(), "0.02/0.01 from 0, 0.1/0.05 from 10000, SPY 0.5/0.25 from 0");
    }

    #[test]
    fn a_mistake_has_its_line_and_its_remedy() {
        let step = "[[tier]]\ninitial = 0.1\nmaintenance = 0.05\n";
        for (text, part) in [
            ("", "there is no tier; write [[tier]] with"),
            ("[tier]\ninitial = 0.1", "line 1, column 1: `tier` must be a list of tables"),
            (
                "[[tier]]\ninitial = 0.1",
                "line 1, column 1: `maintenance` is missing in a tier; write [[tier]]",
            ),
            ("[[tier]]\ninitail = 0.1", "unknown key `initail` in a tier; did you mean `initial`?"),
            (
                "[[tier]]\ninitial = -0.1\nmaintenance = 0",
                "line 2, column 11: `initial` is -0.1, must be a share",
            ),
            ("[[tier]]\ninitial = nan\nmaintenance = 0", "line 2, column 11: `initial` is nan"),
            ("[[tier]]\ninitial = 0.1\nmaintenance = 0.2", "line 3, column 15: `maintenance` is 0.2, above"),
            (&format!("{step}from = -1"), "line 4, column 8: `from` is -1"),
            (
                &format!("{step}asset = \"EZ\""),
                "line 4, column 9: nothing is called `EZ` here; there are es.csv",
            ),
            (&format!("{step}{step}"), "a tier of all assets from 0 already: leave one"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
