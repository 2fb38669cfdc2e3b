//! What was meant by a name that nobody knows.

/// The end of a sentence with the nearest of `known`, or nothing if none is near.
pub fn near(name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let own = last(name);
    // The whole name first; then what stands in the wrong section, or in none.
    let distance = |other: &str| {
        let whole = strsim::damerau_levenshtein(name, other);
        let part = 1 + strsim::damerau_levenshtein(own, last(other));
        whole.min(part)
    };
    let nearest = known.filter(|other| !other.is_empty()).map(|other| (distance(other), other)).min();
    // A third of the letters wrong is another word.
    let most = (own.chars().count() / 3).max(1);
    nearest
        .filter(|(distance, _)| *distance <= most)
        .map_or_else(String::new, |(_, other)| format!(": did you mean `{other}`?"))
}

fn last(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn what_is_near_is_named() {
        let known = || ["listen", "limits.idle_timeout", "limits", "log.level"].into_iter();
        for (name, meant) in [
            ("lsiten", "listen"),
            ("limits.idle_timeuot", "limits.idle_timeout"),
            ("idle_timeout", "limits.idle_timeout"),
            ("log.idle_timeout", "limits.idle_timeout"),
            ("limit", "limits"),
            ("log.levle", "log.level"),
        ] {
            assert_eq!(near(name, known()), format!(": did you mean `{meant}`?"));
        }
        for name in ["", "x", "colour", "log.colour"] {
            assert_eq!(near(name, known()), "", "{name}");
        }
    }
}
