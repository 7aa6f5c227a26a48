//! The inputs about signed attestations: `attest`, `sigstore`, the URLs of a Sigstore of one's own.

use reqwest::Url;

use crate::context::server::is_loopback;
use crate::error::Problem;
use crate::inputs::raw::RawInputs;

/// What is attested, by which Sigstore, and who is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttestInputs {
    /// Where attestations are stored; none means that nothing is attested.
    pub(crate) stores: Option<Stores>,
    pub(crate) sigstore: Choice,
    /// The issuer that certificates must name, if it is not the one of the GitHub server.
    pub(crate) issuer: Option<String>,
    /// A file of the checkout.
    pub(crate) trusted_root: Option<String>,
}

/// The input `attest`, when it is not `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    GitHub,
    Registry,
    Both,
}

impl Stores {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Registry => "registry",
            Self::Both => "true",
        }
    }

    pub(crate) fn has_github(self) -> bool {
        matches!(self, Self::GitHub | Self::Both)
    }

    pub(crate) fn has_registry(self) -> bool {
        matches!(self, Self::Registry | Self::Both)
    }
}

/// The inputs `sigstore`, `fulcio-url`, `rekor-url` and `timestamp-url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The public-good instance for public repositories, else that of GitHub.
    Auto,
    Public,
    GitHub,
    Own(Box<OwnUrls>),
}

/// The URLs of a Sigstore of one's own: with `rekor`, `timestamp`, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnUrls {
    pub(crate) fulcio: Url,
    pub(crate) rekor: Option<Url>,
    pub(crate) timestamp: Option<Url>,
}

impl AttestInputs {
    pub(super) fn read(raw: &RawInputs) -> Result<Self, Problem> {
        let choice = raw.parsed("sigstore", choice)?;
        let own = own_urls(raw)?;
        let trusted_root = raw.text("trusted-root").map(str::to_owned);
        if own.is_some() && trusted_root.is_none() {
            return Err(Problem::new(
                "the input `fulcio-url` is set, but `trusted-root` is not",
                "set `trusted-root` to the `trusted_root.json` of this Sigstore, a file of the checkout",
            )
            .because("only a trusted root tells whether its certificates are valid"));
        }
        if own.is_some()
            && choice
                .as_ref()
                .is_some_and(|choice| *choice != Choice::Auto)
        {
            return Err(Problem::new(
                "the inputs `fulcio-url` and `sigstore` name two instances of Sigstore",
                "remove one of them",
            ));
        }
        Ok(Self {
            stores: raw.parsed("attest", stores)?.flatten(),
            sigstore: own.map_or(choice.unwrap_or(Choice::Auto), Choice::Own),
            issuer: raw.text("oidc-issuer").map(str::to_owned),
            trusted_root,
        })
    }
}

fn own_urls(raw: &RawInputs) -> Result<Option<Box<OwnUrls>>, Problem> {
    let url = |name| raw.parsed(name, url);
    let (rekor, timestamp) = (url("rekor-url")?, url("timestamp-url")?);
    let Some(fulcio) = url("fulcio-url")? else {
        if rekor.is_none() && timestamp.is_none() {
            return Ok(None);
        }
        return Err(Problem::new(
            "the input `rekor-url` or `timestamp-url` is set, but `fulcio-url` is not",
            "set `fulcio-url` and `trusted-root` too, or remove them all",
        ));
    };
    if rekor.is_none() && timestamp.is_none() {
        return Err(Problem::new(
            "the input `fulcio-url` is set, but neither `rekor-url` nor `timestamp-url` is",
            "set at least one of them",
        )
        .because(
            "a certificate is valid for ten minutes, so something must record when it was used",
        ));
    }
    Ok(Some(Box::new(OwnUrls {
        fulcio,
        rekor,
        timestamp,
    })))
}

fn stores(text: &str) -> Result<Option<Stores>, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "false" => Ok(None),
        "true" => Ok(Some(Stores::Both)),
        "github" => Ok(Some(Stores::GitHub)),
        "registry" => Ok(Some(Stores::Registry)),
        _ => Err("write `true`, `false`, `github` or `registry`"),
    }
}

fn choice(text: &str) -> Result<Choice, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(Choice::Auto),
        "public" => Ok(Choice::Public),
        "github" => Ok(Choice::GitHub),
        _ => Err("write `auto`, `public` or `github`"),
    }
}

/// `http://` is for services on this machine only: a request for a certificate holds the token.
fn url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(Url::has_host);
    let is_safe = |url: &Url| match url.scheme() {
        "https" => true,
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    url.filter(is_safe)
        .ok_or("write a URL that starts with `https://`")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::error::Explanation;
    use crate::vars::Vars;

    fn read(variables: &[(&str, &str)]) -> Result<AttestInputs, Problem> {
        AttestInputs::read(&RawInputs::collect(&Vars::of(variables), &[]))
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a snapshot is written where it is used"
    )]
    #[track_caller]
    fn refused(variables: &[(&str, &str)], expected: Expect) {
        let problem = read(variables).unwrap_err();
        expected.assert_eq(&Explanation::of(&problem.into()).to_string());
    }

    const FULCIO: (&str, &str) = ("INPUT_FULCIO-URL", "https://fulcio.example");
    const ROOT: (&str, &str) = ("INPUT_TRUSTED-ROOT", "root.json");

    #[test]
    fn nothing_is_attested_unless_asked() {
        let none = read(&[]).unwrap();
        assert_eq!((none.stores, none.sigstore), (None, Choice::Auto));
        for (text, stores) in [
            ("false", None),
            ("True", Some(Stores::Both)),
            ("github", Some(Stores::GitHub)),
            ("registry", Some(Stores::Registry)),
        ] {
            assert_eq!(read(&[("INPUT_ATTEST", text)]).unwrap().stores, stores);
        }
    }

    #[test]
    fn own_sigstore_has_a_log_or_a_timestamp_authority_or_both() {
        let tsa = ("INPUT_TIMESTAMP-URL", "http://127.0.0.1:3000");
        let inputs = read(&[FULCIO, ROOT, tsa]).unwrap();
        let Choice::Own(urls) = inputs.sigstore else {
            panic!("{:?}", inputs.sigstore);
        };
        assert_eq!(urls.fulcio.as_str(), "https://fulcio.example/");
        assert!(urls.rekor.is_none() && urls.timestamp.is_some());
    }

    #[test]
    fn incomplete_or_unsafe_sigstore_is_refused() {
        refused(
            &[FULCIO, ROOT],
            expect![[r#"
            the input `fulcio-url` is set, but neither `rekor-url` nor `timestamp-url` is
              because: a certificate is valid for ten minutes, so something must record when it was used
              fix: set at least one of them"#]],
        );
        refused(
            &[FULCIO, ("INPUT_REKOR-URL", "https://rekor.example")],
            expect![[r#"
                the input `fulcio-url` is set, but `trusted-root` is not
                  because: only a trusted root tells whether its certificates are valid
                  fix: set `trusted-root` to the `trusted_root.json` of this Sigstore, a file of the checkout"#]],
        );
        refused(
            &[("INPUT_REKOR-URL", "https://rekor.example")],
            expect![[r#"
            the input `rekor-url` or `timestamp-url` is set, but `fulcio-url` is not
              fix: set `fulcio-url` and `trusted-root` too, or remove them all"#]],
        );
        refused(
            &[
                FULCIO,
                ROOT,
                ("INPUT_REKOR-URL", "https://rekor.example"),
                ("INPUT_SIGSTORE", "public"),
            ],
            expect![[r#"
                the inputs `fulcio-url` and `sigstore` name two instances of Sigstore
                  fix: remove one of them"#]],
        );
        refused(
            &[("INPUT_FULCIO-URL", "http://fulcio.example")],
            expect![[r#"
            invalid value `http://fulcio.example` for the input `fulcio-url`
              fix: write a URL that starts with `https://`"#]],
        );
        refused(
            &[("INPUT_ATTEST", "yes")],
            expect![[r#"
            invalid value `yes` for the input `attest`
              fix: write `true`, `false`, `github` or `registry`"#]],
        );
    }
}
