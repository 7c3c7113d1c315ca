"""Dialects: what others call documents and changes, spoken on our log. Each is one package that nobody else imports."""
