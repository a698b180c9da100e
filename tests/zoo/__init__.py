"""Small models written from published descriptions, healthy and with planted diseases."""
