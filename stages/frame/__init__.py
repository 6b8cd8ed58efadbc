"""The ground floor, which all rooms and verbs stand on."""
