//! Conditions over parameters, as a command line says them: `fast < slow`, `slow >= 2 * fast and stop > 0`.

/// Longest condition, in bytes.
const LENGTH_MAX: usize = 1_000;

/// How deep parentheses and signs may go.
const DEPTH_MAX: usize = 32;

/// A condition that can be asked of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    comparisons: Vec<(Term, Comparison, Term)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
enum Term {
    Number(f64),
    /// The parameter of this place.
    Parameter(usize),
    Operation(Box<Term>, u8, Box<Term>),
}

impl Condition {
    /// Reads a condition over parameters of these names: comparisons of sums and products, joined by `and`. A
    /// chain such as `5 < fast < slow` is two of them.
    ///
    /// # Errors
    /// What is wrong, and what can be written.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, String> {
        if text.len() > LENGTH_MAX {
            return Err(format!("is longer than {LENGTH_MAX} bytes"));
        }
        let mut reader = Reader { rest: text, names, depth: 0 };
        let mut comparisons = Vec::new();
        loop {
            let mut left = reader.sum()?;
            let before = comparisons.len();
            while let Some(comparison) = reader.comparison() {
                let right = reader.sum()?;
                comparisons.push((left, comparison, right.clone()));
                left = right;
            }
            if comparisons.len() == before {
                return Err(format!("`{text}` compares nothing; write `fast < slow`"));
            }
            if !reader.takes("and") && !reader.takes("&&") {
                break;
            }
        }
        match reader.rest.trim_start() {
            "" => Ok(Self { text: text.trim().to_owned(), comparisons }),
            rest => Err(format!("cannot read `{rest}`; write comparisons joined by `and`: `fast < slow`")),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds of a point. A comparison with what is no number does not.
    #[must_use]
    pub fn holds(&self, point: &[f64]) -> bool {
        self.comparisons.iter().all(|(left, comparison, right)| {
            let (left, right) = (left.value(point), right.value(point));
            match comparison {
                Comparison::Less => left < right,
                Comparison::AtMost => left <= right,
                Comparison::More => left > right,
                Comparison::AtLeast => left >= right,
                Comparison::Equal => left == right,
                Comparison::Other => left != right && !left.is_nan() && !right.is_nan(),
            }
        })
    }
}

impl Term {
    fn value(&self, point: &[f64]) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Parameter(at) => point.get(*at).copied().unwrap_or(f64::NAN),
            Self::Operation(left, sign, right) => {
                let (left, right) = (left.value(point), right.value(point));
                match sign {
                    b'+' => left + right,
                    b'-' => left - right,
                    b'*' => left * right,
                    _ => left / right,
                }
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    names: &'a [&'a str],
    depth: usize,
}

impl Reader<'_> {
    fn takes(&mut self, word: &str) -> bool {
        match self.rest.trim_start().strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        // The longer ones first.
        let signs = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("!=", Comparison::Other),
            ("<", Comparison::Less),
            (">", Comparison::More),
            ("=", Comparison::Equal),
        ];
        signs.into_iter().find_map(|(sign, comparison)| self.takes(sign).then_some(comparison))
    }

    fn one_of(&mut self, signs: [char; 2]) -> Option<u8> {
        let rest = self.rest.trim_start();
        let sign = rest.chars().next().filter(|sign| signs.contains(sign))?;
        self.rest = &rest[1..];
        Some(sign as u8)
    }

    fn sum(&mut self) -> Result<Term, String> {
        let mut left = self.product()?;
        while let Some(sign) = self.one_of(['+', '-']) {
            left = Term::Operation(Box::new(left), sign, Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Term, String> {
        let mut left = self.atom()?;
        while let Some(sign) = self.one_of(['*', '/']) {
            left = Term::Operation(Box::new(left), sign, Box::new(self.atom()?));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Term, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("has more than {DEPTH_MAX} parentheses or signs within one another"));
        }
        let term = self.inner();
        self.depth -= 1;
        term
    }

    fn inner(&mut self) -> Result<Term, String> {
        if self.takes("(") {
            let term = self.sum()?;
            return if self.takes(")") { Ok(term) } else { Err("a `(` is not closed".to_owned()) };
        }
        if self.takes("-") {
            return Ok(Term::Operation(Box::new(Term::Number(0.0)), b'-', Box::new(self.atom()?)));
        }
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        if let Some(at) = self.names.iter().position(|name| *name == word) {
            return Ok(Term::Parameter(at));
        }
        match word.parse::<f64>() {
            // `inf` and `nan` are read as floats, and are meant as names.
            Ok(number) if word.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                Ok(Term::Number(number))
            }
            _ if word.is_empty() => Err("a number or the name of a parameter is missing".to_owned()),
            _ => Err(format!("`{word}` is no parameter; there are: {}", self.names.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, point: [f64; 2]) -> bool {
        Condition::parse(text, &["fast", "slow"]).unwrap_or_else(|e| panic!("{text}: {e}")).holds(&point)
    }

    #[test]
    fn comparisons_of_sums_and_products() {
        for (text, expected) in [
            ("fast < slow", true),
            ("slow<fast", false),
            ("fast * 2 <= slow", true),
            ("fast*2+1 <= slow", false),
            ("slow - fast >= 2 * (fast - 5)", true),
            ("slow / fast == 2", true),
            ("fast != 10", false),
            ("5 < fast < slow and slow <= 20", true),
            ("5 < fast < slow && slow < 20", false),
            ("-fast < -5", true),
            ("fast / 0 - fast / 0 != 1", false),
        ] {
            assert_eq!(holds(text, [10.0, 20.0]), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, part) in [
            ("", "is missing"),
            ("fast", "compares nothing"),
            ("fast < ", "is missing"),
            ("fast < quick", "`quick` is no parameter; there are: fast, slow"),
            ("fast < slow or fast > 3", "cannot read `or fast > 3`"),
            ("(fast < slow", "is not closed"),
            ("fast < inf", "is no parameter"),
            ("é < fast", "is no parameter"),
        ] {
            let error = Condition::parse(text, &["fast", "slow"]).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Condition::parse(&"(".repeat(1_001), &[]).is_err());
        assert!(
            Condition::parse(&"(".repeat(999), &[]).is_err_and(|error| error.contains("within one another"))
        );
        let wide = vec!["fast"; 100].join(" + ") + " > 5";
        assert!(Condition::parse(&wide, &["fast"]).is_ok_and(|wide| wide.holds(&[1.0])));
    }
}
