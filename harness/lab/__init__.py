"""The lab: machines without a hypervisor, fed from a bundle, in a network of their own."""
