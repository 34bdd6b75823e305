"""The sandbox as an HTTP endpoint: the query protocol, IAM policies, and moto for all other services."""
