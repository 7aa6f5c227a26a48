//! Whether an account may read or write a package, and the `Denial` that GHCR returns if not (pure).

use crate::github::account::{Access, Account, TokenKind};
use crate::github::denial::Denial;
use crate::github::package::{Package, Visibility};

/// The package that a request is about; `None` when it does not exist yet.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) owner: &'a str,
    pub(crate) owner_exists: bool,
    pub(crate) package: Option<&'a Package>,
}

pub(crate) fn write(account: &Account, target: Target<'_>) -> Result<(), Denial> {
    if !target.owner_exists {
        return Err(Denial::OwnerNotFound);
    }
    match &account.kind {
        TokenKind::FineGrained => Err(Denial::ScopesDoNotMatch),
        TokenKind::App => Err(not_allowed(target.package)),
        TokenKind::Workflow { .. } if !account.acts_for(target.owner) => {
            Err(Denial::InstallationDoesNotExist)
        }
        TokenKind::Workflow { .. } if account.packages < Access::Write => {
            Err(not_allowed(target.package))
        }
        TokenKind::Workflow { repository } => match target.package {
            Some(package) if !package.allows_write(repository) => Err(Denial::WritePackage),
            Some(_) | None => Ok(()),
        },
        TokenKind::Classic if account.packages < Access::Write => Err(Denial::ScopesDoNotMatch),
        TokenKind::Classic if account.acts_for(target.owner) => Ok(()),
        TokenKind::Classic if target.package.is_some() => Err(Denial::WritePackage),
        TokenKind::Classic => Err(Denial::CreatePackage),
    }
}

/// An account may read a package that does not exist: the registry then responds that the name is unknown.
pub(crate) fn read(account: Option<&Account>, target: Target<'_>) -> Result<(), Denial> {
    let Some(package) = target.package else {
        return account.map(|_| ()).ok_or(Denial::AuthenticationRequired);
    };
    if package.visibility == Visibility::Public {
        return Ok(());
    }
    let account = account.ok_or(Denial::AuthenticationRequired)?;
    let allowed = account.packages >= Access::Read
        && match &account.kind {
            TokenKind::Workflow { repository } => package.allows_read(repository),
            TokenKind::Classic => account.acts_for(target.owner),
            TokenKind::FineGrained | TokenKind::App => false,
        };
    match (&account.kind, allowed) {
        (_, true) => Ok(()),
        (TokenKind::Classic | TokenKind::FineGrained, false) => Err(Denial::ScopesDoNotMatch),
        (TokenKind::Workflow { .. } | TokenKind::App, false) => Err(Denial::InstallationMayNotRead),
    }
}

fn not_allowed(package: Option<&Package>) -> Denial {
    match package {
        Some(_) => Denial::InstallationMayNotWrite,
        None => Denial::InstallationMayNotCreate,
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Account, Denial, Package, Target, read, write};

    #[track_caller]
    fn check_write(account: &Account, package: Option<&Package>, expected: Option<&Denial>) {
        let target = Target {
            owner: "acme",
            owner_exists: true,
            package,
        };
        assert_eq!(write(account, target).err().as_ref(), expected);
    }

    #[test]
    fn workflow_creates_and_writes_its_own_packages() {
        let account = Account::workflow("Acme/widget");
        check_write(&account, None, None);
        check_write(&account, Some(&Package::of("acme/widget")), None);
        check_write(
            &account,
            Some(&Package::of("acme/other")),
            Some(&Denial::WritePackage),
        );
        check_write(
            &account,
            Some(&Package::unlinked()),
            Some(&Denial::WritePackage),
        );
    }

    #[test]
    fn read_only_workflow_may_not_create_or_write() {
        let account = Account::workflow("acme/widget").packages(Access::Read);
        check_write(&account, None, Some(&Denial::InstallationMayNotCreate));
        check_write(
            &account,
            Some(&Package::of("acme/widget")),
            Some(&Denial::InstallationMayNotWrite),
        );
    }

    #[test]
    fn workflow_of_another_owner_has_no_installation() {
        check_write(
            &Account::workflow("other/widget"),
            Some(&Package::of("acme/widget")),
            Some(&Denial::InstallationDoesNotExist),
        );
    }

    #[test]
    fn personal_tokens_need_scope_and_membership() {
        check_write(&Account::classic("alice").owner("acme"), None, None);
        check_write(
            &Account::classic("alice"),
            None,
            Some(&Denial::CreatePackage),
        );
        check_write(
            &Account::classic("acme").packages(Access::Read),
            None,
            Some(&Denial::ScopesDoNotMatch),
        );
        check_write(
            &Account::fine_grained("acme"),
            None,
            Some(&Denial::ScopesDoNotMatch),
        );
    }

    #[test]
    fn unknown_owner_is_checked_first() {
        let target = Target {
            owner: "ghost",
            owner_exists: false,
            package: None,
        };
        assert_eq!(
            write(&Account::workflow("acme/widget"), target),
            Err(Denial::OwnerNotFound)
        );
    }

    #[test]
    fn private_packages_are_readable_only_with_access() {
        let package = Package::of("acme/widget").reader("acme/reader");
        let target = Target {
            owner: "acme",
            owner_exists: true,
            package: Some(&package),
        };
        assert_eq!(
            read(Some(&Account::workflow("acme/reader")), target),
            Ok(())
        );
        assert_eq!(
            read(Some(&Account::workflow("acme/outsider")), target),
            Err(Denial::InstallationMayNotRead)
        );
        assert_eq!(read(None, target), Err(Denial::AuthenticationRequired));
    }
}
