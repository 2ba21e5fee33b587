from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import checks, doctor, host_facts
from harness.checks import Level
from harness.errors import HostError
from harness.host_facts import Space
from harness.spec import ProviderName
from tests.fake_cluster import GOOD_HOST

if TYPE_CHECKING:
    from pathlib import Path

FULL = Space("/small", 100)
PROVIDERS = list(ProviderName)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_good_host_has_nothing_to_cure(provider: ProviderName) -> None:
    found = doctor.findings(provider, GOOD_HOST)
    assert {(finding.level, finding.cure) for finding in found} == {(Level.OK, "")}
    doctor.require(provider, GOOD_HOST)


ERRORS: list[tuple[str, ProviderName, dict[str, Any], str]] = [
    ("vagrant", ProviderName.LXC, {"vagrant": ""}, "Vagrant is not installed"),
    ("vagrant", ProviderName.LXC, {"vagrant_trouble": "it is asleep"}, "not work: it is asleep"),
    ("vagrant-lxc", ProviderName.LXC, {"plugins": frozenset()}, "plugin vagrant-lxc"),
    ("vagrant-libvirt", ProviderName.LIBVIRT, {"plugins": frozenset()}, "vagrant-libvirt"),
    ("lxc", ProviderName.LXC, {"programs": frozenset({"ip"})}, "lxc-create, lxc-ls"),
    ("root", ProviderName.LXC, {"root": ""}, "not root"),
    ("namespace", ProviderName.LXC, {"namespace_trouble": "not permitted"}, ": not permitted."),
    ("cgroups", ProviderName.LXC, {"controllers": frozenset({"cpu"})}, "memory, pids"),
    ("overlayfs", ProviderName.LXC, {"has_overlay": False}, "overlayfs"),
    ("state space", ProviderName.VIRTUALBOX, {"state": FULL}, "0.1 GiB are free at /small"),
    ("machine space", ProviderName.LXC, {"machines": FULL}, "3 GiB"),
    ("cache space", ProviderName.LXC, {"cache": FULL, "bundle": "x"}, "3 GiB"),
    ("bundle", ProviderName.LXC, {"bundle": "there is no bundle"}, "there is no bundle"),
    ("box", ProviderName.LXC, {"has_box": False}, "not built"),
    ("virtualbox", ProviderName.VIRTUALBOX, {"programs": frozenset()}, "VBoxManage"),
    ("virtualisation", ProviderName.VIRTUALBOX, {"has_virtualization": False}, "vmx"),
]


@pytest.mark.parametrize(("check", "provider", "lack", "words"), ERRORS)
def test_what_a_provider_needs_is_an_error_with_a_cure(
    check: str, provider: ProviderName, lack: dict[str, Any], words: str
) -> None:
    facts = replace(GOOD_HOST, **lack)
    found = {finding.check: finding for finding in doctor.findings(provider, facts)}
    assert found[check].level is Level.ERROR
    assert words in found[check].message
    assert found[check].cure
    with pytest.raises(HostError) as raised:
        doctor.require(provider, facts)
    assert raised.value.message.splitlines()[0] == found[check].message
    assert raised.value.hint == found[check].cure


@pytest.mark.parametrize(
    ("check", "provider", "lack"),
    [
        ("memory", ProviderName.VIRTUALBOX, {"memory_mib": 1000}),
        ("inotify", ProviderName.LXC, {"inotify_instances": 8}),
        ("inotify", ProviderName.LXC, {"inotify_instances": 128, "lab_machines": 4}),
        ("resources", ProviderName.LXC, {"has_sys_resource": False}),
        ("kvm", ProviderName.LIBVIRT, {"has_kvm": False}),
    ],
)
def test_what_only_slows_a_host_down_is_a_warning(
    check: str, provider: ProviderName, lack: dict[str, Any]
) -> None:
    facts = replace(GOOD_HOST, **lack)
    found = {finding.check: finding for finding in doctor.findings(provider, facts)}
    assert found[check].level is Level.WARNING
    assert found[check].cure
    doctor.require(provider, facts)


def test_every_error_is_told_and_the_first_one_leads() -> None:
    facts = replace(GOOD_HOST, vagrant="", root="", has_overlay=False)
    with pytest.raises(HostError) as raised:
        doctor.require(ProviderName.LXC, facts)
    first, *others = raised.value.message.splitlines()
    assert first == "Vagrant is not installed, or not on PATH."
    assert [line.split()[:3] for line in others] == [
        ["also:", "This", "is"],
        ["also:", "The", "kernel"],
    ]


def test_supplies_that_are_there_want_no_space() -> None:
    assert checks.cache_space(replace(GOOD_HOST, cache=FULL)).level is Level.OK


def test_a_build_is_refused_where_it_would_fill_the_disk() -> None:
    doctor.require_supply_space(replace(GOOD_HOST, bundle="none", has_box=False))
    with pytest.raises(HostError, match="6 GiB"):
        doctor.require_supply_space(
            replace(GOOD_HOST, bundle="none", has_box=False, cache=Space("/small", 5000))
        )


def test_more_machines_want_more_memory() -> None:
    facts = replace(GOOD_HOST, memory_mib=5000)
    assert checks.memory(facts, 4).level is Level.OK
    assert checks.memory(facts, 8).level is Level.WARNING


@pytest.mark.parametrize(
    ("virtualizes", "kvm", "plugins", "virtualbox", "provider"),
    [
        (True, True, {"vagrant-libvirt"}, True, ProviderName.LIBVIRT),
        (True, True, set(), True, ProviderName.VIRTUALBOX),
        (True, True, set(), False, ProviderName.LXC),
        (False, False, {"vagrant-libvirt"}, True, ProviderName.LXC),
    ],
)
def test_auto_takes_the_best_that_works(
    *, virtualizes: bool, kvm: bool, plugins: set[str], virtualbox: bool, provider: ProviderName
) -> None:
    chosen, reason = doctor.choose(
        has_virtualization=virtualizes,
        has_kvm=kvm,
        plugins=frozenset(plugins),
        has_virtualbox=virtualbox,
    )
    assert chosen is provider
    assert reason


def test_a_provider_that_was_asked_for_is_taken() -> None:
    assert doctor.choose_provider("virtualbox") == (ProviderName.VIRTUALBOX, "as asked")


def test_auto_looks_at_this_host() -> None:
    chosen, _reason = doctor.choose_provider("auto")
    assert chosen in PROVIDERS


def test_this_host_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_STATE_DIR", str(tmp_path / "not" / "yet"))
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    facts = host_facts.collect()
    assert facts.state.place == str(tmp_path / "not" / "yet")
    assert facts.memory_mib > 0
    assert "there is no bundle" in facts.bundle
    assert list(tmp_path.iterdir()) == []


def test_a_host_without_vagrant_has_no_version_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = host_facts.collect()
    assert (facts.vagrant, facts.vagrant_trouble) == ("", "")


@pytest.mark.parametrize(
    ("script", "version", "trouble"),
    [
        ("echo W: noise; echo 'Vagrant 2.3.4'; echo more", "2.3.4", ""),
        ("echo 'no ruby today' >&2; exit 1", "", "exited 1:\nno ruby today"),
        ("sleep 60", "", "did not end within 0.2 s"),
        ("echo 'it is nice outside'", "", "says: it is nice outside"),
    ],
)
def test_a_vagrant_that_does_not_say_its_version_is_quoted(
    script: str, version: str, trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vagrant = tmp_path / "vagrant"
    vagrant.write_text(f"#!/bin/sh\n{script}\n")
    vagrant.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(host_facts, "QUICK_SECONDS", 0.2 if "sleep" in script else 10.0)
    facts = host_facts.collect()
    assert facts.vagrant == version
    assert trouble in facts.vagrant_trouble
    assert bool(trouble) is bool(facts.vagrant_trouble)


@pytest.mark.parametrize(
    ("flags", "is_so"),
    [("fpu vmx sse", True), ("fpu svm", True), ("fpu vmxnet sse", False)],
)
def test_only_the_processors_flags_say_that_it_virtualises(*, flags: str, is_so: bool) -> None:
    text = f"model name\t: Some vmx processor\nflags\t\t: {flags}\nbugs\t\t:\n"
    assert host_facts.has_virtualization(text) is is_so


def test_available_memory_is_read_and_not_free_memory() -> None:
    text = "MemTotal: 2048000 kB\nMemFree: 1024 kB\nMemAvailable:    1048576 kB\n"
    assert host_facts.available_mib(text) == 1024
    assert host_facts.available_mib("MemTotal: 1 kB\n") == 0


def test_plugins_of_the_users_vagrant_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    (tmp_path / "plugins.json").write_text('{"version": "1", "installed": {"vagrant-own": {}}}')
    assert "vagrant-own" in host_facts.plugins()
    (tmp_path / "plugins.json").write_text("broken")
    assert "vagrant-own" not in host_facts.plugins()
