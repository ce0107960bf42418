"""Checks the licences, the bans and the sources of all dependencies against deny.toml, as `cargo deny
check licenses bans sources` does, where that is not installed. Needs Python 3.11 and cargo."""
import re
import subprocess
import sys
import tomllib

rules = tomllib.load(open("deny.toml", "rb"))
allowed = set(rules["licenses"]["allow"])
exceptions = {e["crate"]: set(e["allow"]) for e in rules["licenses"]["exceptions"]}
banned = {b["crate"]: b["reason"] for b in rules["bans"]["deny"]}


def holds(expression, allowed):
    """Whether an SPDX expression can be kept with the licences that are allowed."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    merged = []
    for word in words:
        if merged and (word == "WITH" or merged[-1].endswith(" WITH")):
            merged[-1] += " " + word
        else:
            merged.append(word)

    def any_of(at):
        good, at = all_of(at)
        while at < len(merged) and merged[at] == "OR":
            other, at = all_of(at + 1)
            good = good or other
        return good, at

    def all_of(at):
        good, at = one(at)
        while at < len(merged) and merged[at] == "AND":
            other, at = one(at + 1)
            good = good and other
        return good, at

    def one(at):
        if merged[at] == "(":
            good, at = any_of(at + 1)
            return good, at + 1
        return merged[at] in allowed, at + 1

    return any_of(0)[0]


# What `cargo tree` shows is what is compiled on this platform; `cargo metadata` names more.
tree = ["cargo", "tree", "--all-features", "-e", "normal,build,dev", "--prefix", "none", "--format", "{p}|{l}"]
packages = sorted(set(line.removesuffix(" (*)") for line in subprocess.check_output(tree, text=True).splitlines() if line))
wrong = []
for package in packages:
    described, licence = package.split("|")
    name, *rest = described.split()
    if not holds(licence or "none", allowed | exceptions.get(name, set())):
        wrong.append(f"{described}: the licence '{licence}' is not in deny.toml")
    if name in banned:
        wrong.append(f"{name}: banned, for {banned[name]}")
    if any("://" in part for part in rest):
        wrong.append(f"{described}: does not come from the registry")
assert holds("(MIT OR GPL-3.0) AND Zlib", allowed) and not holds("MIT AND GPL-3.0", allowed), "the reader of expressions"
print("\n".join(wrong) or f"{len(packages)} packages: licences, bans and sources are in order")
sys.exit(bool(wrong))
