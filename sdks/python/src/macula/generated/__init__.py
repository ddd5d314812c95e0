"""What is made from the spec.

Made from openapi/openapi.json by scripts/generate.py. Do not edit.
"""
