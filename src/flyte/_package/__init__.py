"""What concerns this package as an installed distribution."""
