//! `Network`: how far away the registry is.

use std::time::Duration;

use ghcr_double::{Double, Endpoint, Fault};

use crate::row::Section;

/// Before each answer, as between a runner of GitHub and ghcr.io.
const LATENCY: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Loopback,
    Delayed,
}

impl Network {
    pub(crate) fn apply(self, double: &Double) {
        double.clear_script();
        if self == Self::Delayed {
            double.script(Fault::on(Endpoint::Any).hang(LATENCY).always());
        }
    }

    /// A word for names of packages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Delayed => "delayed",
        }
    }

    /// What a row says about it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Loopback => "",
            Self::Delayed => ", 50 ms",
        }
    }

    pub(crate) fn section(self) -> Section {
        match self {
            Self::Loopback => Section::Loopback,
            Self::Delayed => Section::Delayed,
        }
    }
}
