//! `Grant`: what a bearer stands for, and the scopes it was asked for.

use std::time::Instant;

use crate::account::Account;

/// What somebody wants to do with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Pull,
    Push,
}

impl Want {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// `repository:<name>:<actions>`
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) name: String,
    actions: Vec<String>,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, actions) = text.strip_prefix("repository:")?.rsplit_once(':')?;
        Some(Self {
            name: name.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }

    pub(crate) fn covers(&self, name: &str, want: Want) -> bool {
        let action = |action: &String| action == want.as_str() || action == "*";
        self.name == name && self.actions.iter().any(action)
    }
}

/// What a bearer stands for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) account: Option<Account>,
    /// `None`: the caller showed the token itself, which is good for everything it may do.
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) until: Option<Instant>,
}

impl Grant {
    /// For everything that the account may do.
    pub(crate) fn unlimited(account: Option<Account>) -> Self {
        Self {
            account,
            scopes: None,
            until: None,
        }
    }

    pub(crate) fn covers(&self, name: &str, want: Want) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|scopes| scopes.iter().any(|scope| scope.covers(name, want)))
    }
}
