"""Run commands on machines; each transport is one module behind `interfaces.Transport`."""
