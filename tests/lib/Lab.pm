# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the lab host share.
package Lab;
use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(nested_hung);

# Whether a run in the lab failed as it does when a nested guest hangs (tests/lab/README.md): the lab's exit status, and all that was
# said, with a trial's result as "ok|cause|detail" on a line of its own where there are such.
sub nested_hung {
	my ($status, $text) = @_;
	return 1 if $status == 124;
	return scalar $text =~ /was not up in \d|did not answer in time|did not end in|was not ready in time|does not come up|^0\|timeout\|/m;
}

1;
