"""The decision: (request, findings) in, a plan out. Pure."""
