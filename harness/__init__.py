"""harness: a Vagrant-driven, end-to-end Kubernetes cluster harness."""

__version__ = "0.1.0"
