"""How complaints arrive other than by the API: e-mail, files."""
