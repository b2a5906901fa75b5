# A contract that tests deploy, and how it is proposed and approved of.
#
#	$roaming							its script: two tables, a domain, an enum, an
#										index, a view, a comment, privileges
#	deploy($wires, 1, 'roaming', $text)	member 1 proposes; the motion
#	approve($wires, 'roaming', 2, 3)	they approve, once the source is there
#	refused($wires, 1, $query, qr/../, $name)
#										one test: the query fails with that error
package LedgerContract;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw($roaming deploy approve refused same_everywhere);

our $roaming = <<'END';
CREATE DOMAIN msisdn AS text CHECK (VALUE COLLATE "C" ~ '^[0-9]{5,15}$');
CREATE TYPE direction AS ENUM ('mobile originated', 'mobile terminated');
CREATE TABLE usage (
    served msisdn NOT NULL,
    kind direction,
    started timestamptz NOT NULL,
    seconds integer NOT NULL DEFAULT 0 CHECK (seconds >= 0)
) USING ledger;
CREATE TABLE notice (body text) USING ledger;
CREATE INDEX usage_by_served ON usage USING hash (served);
CREATE VIEW long_usage AS SELECT served, seconds FROM usage WHERE seconds > 3600;
COMMENT ON TABLE usage IS 'calls of roaming subscribers';
GRANT SELECT ON usage, long_usage TO PUBLIC;
GRANT INSERT ON usage TO ledger_submitter;
END

# The source is text of the members' choice: quoted by dollars.
sub deploy { my ($wires, $member, $name, $text) = @_; return $wires->sql($member, "SELECT ledger.deploy('$name', \$source\$$text\$source\$)") }

sub approve
{
	my ($wires, $name, @who) = @_;

	foreach my $member (@who)
	{
		$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger_internal.open_contracts() AS o JOIN ledger_internal.ordered_chunk AS c ON c.digest = o.hash WHERE o.name = '$name')");
		$wires->sql($member, "SELECT ledger.approve('$name')");
	}
	return;
}

sub refused
{
	my ($wires, $member, $query, $expected, $name) = @_;
	my ($code, $out, $err) = $wires->node($member)->psql('postgres', $query);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($code ? $err : "done: $out", $expected, $name);
}

sub same_everywhere
{
	my ($wires, $query, @who) = @_;
	my $height = $wires->sql($who[0], 'SELECT height FROM ledger_internal.applied');
	my %answers;

	foreach my $member (@who)
	{
		$wires->poll($member, "SELECT height >= $height FROM ledger_internal.applied");
		push @{ $answers{ $wires->sql($member, $query) } }, $member;
	}
	return keys(%answers) == 1 ? (keys %answers)[0] : join("\n", map { "at @{ $answers{$_} }: $_" } sort keys %answers);
}

1;
