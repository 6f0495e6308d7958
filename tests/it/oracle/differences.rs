//! Rows of the oracle in which we differ from Terraform, by reason.

/// A reason, and the rows that differ for it.
type Group = (&'static str, &'static [&'static str]);

/// Decided otherwise, on purpose.
pub const DELIBERATE: &[Group] = &[
    (
        "`&&` and `||` do not look at the right side when the left one decides, and one side that decides is enough \
         when the other is not known yet",
        &["e0123", "e0124", "e1064", "e1065", "e1066", "e1067"],
    ),
    (
        "there is no infinity: division by zero is a mistake, which `can` and `try` see",
        &["e0043", "e0045", "e0366", "e0758", "e0908", "e0909"],
    ),
    ("there is no negative zero", &["e0001"]),
    ("decimals are exact: 1.1 + 2.2 is 3.3", &["e0064"]),
    ("null has no form for `%s`: a mistake, where Terraform gives an unknown value forever", &["e0475"]),
    ("an address block has no negative parts, and no parts outside of itself", &["e0842", "e0843"]),
];

/// Not there yet.
pub const NOT_YET: &[Group] = &[
    ("the parser refuses an object that has a key twice", &["e0021"]),
    ("the parser refuses a literal beyond 10^308", &["e0062"]),
    ("`base64gzip` needs the very bytes of Go's compressor", &["e0709", "e0710"]),
    ("`bcrypt` needs a cipher that nothing else of ours does", &["e0789", "e0790"]),
    ("functions of Terraform's own provider", &["e0947", "e0948", "e0949"]),
];
