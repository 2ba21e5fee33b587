"""Make machines; each provider is one module behind `interfaces.Provider`."""
