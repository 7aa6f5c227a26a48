//! May this token read or write this package? (pure; the answers are GHCR's)

use crate::github::account::{Access, Account, Kind};
use crate::github::denial::Denial;
use crate::github::package::{Package, Visibility};

/// A package that exists, or that would be created.
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
        Kind::FineGrained => Err(Denial::ScopesDoNotMatch),
        Kind::App => Err(not_allowed(target.package)),
        Kind::Workflow { .. } if !account.acts_for(target.owner) => {
            Err(Denial::InstallationDoesNotExist)
        }
        Kind::Workflow { .. } if account.packages < Access::Write => {
            Err(not_allowed(target.package))
        }
        Kind::Workflow { repository } => match target.package {
            Some(package) if !package.lets_write(repository) => Err(Denial::WritePackage),
            Some(_) | None => Ok(()),
        },
        Kind::Classic if account.packages < Access::Write => Err(Denial::ScopesDoNotMatch),
        Kind::Classic if account.acts_for(target.owner) => Ok(()),
        Kind::Classic if target.package.is_some() => Err(Denial::WritePackage),
        Kind::Classic => Err(Denial::CreatePackage),
    }
}

/// A package that does not exist may be asked for: the answer is that it is unknown.
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
            Kind::Workflow { repository } => package.lets_read(repository),
            Kind::Classic => account.acts_for(target.owner),
            Kind::FineGrained | Kind::App => false,
        };
    match (&account.kind, allowed) {
        (_, true) => Ok(()),
        (Kind::Classic | Kind::FineGrained, false) => Err(Denial::ScopesDoNotMatch),
        (Kind::Workflow { .. } | Kind::App, false) => Err(Denial::InstallationMayNotRead),
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
    fn read_only_workflow_hears_what_it_may_not_do() {
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
    fn unknown_owner_comes_first() {
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
    fn private_packages_are_read_by_those_with_access() {
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
            read(Some(&Account::workflow("acme/stranger")), target),
            Err(Denial::InstallationMayNotRead)
        );
        assert_eq!(read(None, target), Err(Denial::AuthenticationRequired));
    }
}
