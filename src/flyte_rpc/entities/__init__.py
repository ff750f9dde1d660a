"""What generated entities are made of: entity base, pager, stream, watch, filters. It imports calls, codec and sync."""
