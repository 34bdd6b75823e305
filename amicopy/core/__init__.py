"""Values, rules and time. Imports nothing else of amicopy."""
