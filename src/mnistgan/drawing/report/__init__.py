"""Builds the report: a comparison as one HTML page with drawings as SVG."""
