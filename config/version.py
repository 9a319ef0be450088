"""The version of Tollgate, written once."""

VERSION = "0.1.0"
