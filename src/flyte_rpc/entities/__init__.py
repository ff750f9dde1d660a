"""Building blocks of generated entities: base class, pager, stream, watch, filters. Imports calls, codec, sync."""
