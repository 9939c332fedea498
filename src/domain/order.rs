//! In which order lists stand.

/// The order of a list of alerts or incidents. Whatever comes first, of equals the newest does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    /// The worst first.
    Severity,
    /// What there was least of lately first: the one of its kind before the hundredth.
    Rare,
}

impl Order {
    pub const ALL: [Self; 3] = [Self::Newest, Self::Severity, Self::Rare];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Severity => "severity",
            Self::Rare => "rare",
        }
    }

    /// As a person chooses it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Newest => "Newest first",
            Self::Severity => "Worst first",
            Self::Rare => "Rarest first",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.name() == text)
    }
}
