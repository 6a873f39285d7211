"""Pure rules: vocabulary, lifecycle, business time, clocks, routing, human steps, the frozen policy, ports and errors.

Standard library and pydantic only. Nothing here reads a database, a file or the time.
"""
