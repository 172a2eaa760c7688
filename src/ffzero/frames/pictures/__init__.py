"""Pictures decoded and coded anew: which encoder, how, and how well."""
