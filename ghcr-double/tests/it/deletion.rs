//! `DELETE` of a manifest at the registry.

use ghcr_double::{Access, Account, Deletes, Double, Endpoint, Package};

use crate::client::{NAME, TOKEN, ask, basic, double, send};

#[test]
fn registry_of_github_deletes_nothing() {
    let double = double();
    let digest = double.put_image(NAME, "v1", &[]);
    let reply = ask(&double, "DELETE", &format!("manifests/{digest}"), b"").unwrap();
    assert_eq!(
        (reply.status, reply.error().0.as_str()),
        (405, "UNSUPPORTED")
    );
    assert_eq!(double.count(Endpoint::ManifestDelete), 1);
    assert_eq!(double.tags(NAME).len(), 1);
}

/// Deletes a manifest with a token for these actions; returns status and error code.
fn delete(double: &Double, reference: &str, actions: &str) -> (u16, String) {
    let target = format!("/token?service=x&scope=repository:{NAME}:{actions}");
    let login = basic(TOKEN);
    let reply = send(double, "GET", &target, &[("authorization", &login)], b"").unwrap();
    let bearer = format!("Bearer {}", reply.json()["token"].as_str().unwrap());
    let target = format!("/v2/{NAME}/manifests/{reference}");
    let reply = send(
        double,
        "DELETE",
        &target,
        &[("authorization", &bearer)],
        b"",
    )
    .unwrap();
    let code = if reply.status == 202 {
        String::new()
    } else {
        reply.error().0
    };
    (reply.status, code)
}

#[test]
fn other_registry_deletes_by_digest_with_a_token_for_it() {
    let by_digest = |account: Account| {
        let builder = Double::builder().token(TOKEN, account);
        let builder = builder.package(NAME, Package::of("acme/widget"));
        builder.deletes(Deletes::ByDigest).start().unwrap()
    };
    let double = by_digest(Account::workflow("acme/widget"));
    let digest = double.put_image(NAME, "v1", &[]);
    let actions = "pull,push,delete";
    assert_eq!(
        delete(&double, &digest, "pull,push"),
        (401, "UNAUTHORIZED".to_owned())
    );
    assert_eq!(
        delete(&double, "v1", actions),
        (405, "UNSUPPORTED".to_owned())
    );
    assert_eq!(delete(&double, &digest, actions), (202, String::new()));
    assert_eq!(double.tags(NAME).len(), 0);
    assert_eq!(
        delete(&double, &digest, actions),
        (404, "MANIFEST_UNKNOWN".to_owned())
    );
    let double = by_digest(Account::workflow("acme/widget").packages(Access::Read));
    let digest = double.put_image(NAME, "v1", &[]);
    assert_eq!(
        delete(&double, &digest, actions),
        (401, "UNAUTHORIZED".to_owned())
    );
}
