"""The results of many runs as one HTML page that needs nothing beside itself: `mmrec report`."""
