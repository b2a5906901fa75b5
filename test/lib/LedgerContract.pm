# A contract that tests deploy, and how it is proposed and approved of.
#
#	$roaming							its script: two tables, a domain, an enum, an
#										index, a view, a comment, privileges
#	@value_calls, @meter_calls			calls of the contracts of test/contracts; with
#										SQLSTATE and words of those that fail
#	deploy($wires, 1, 'roaming', $text)	member 1 proposes; the motion
#	approve($wires, 'roaming', 2, 3)	they approve, once the source is there
#	refused($wires, 1, $query, qr/../, $name)
#										one test: the query fails with that error
#	room($wires, 0, 2, 3)				there is no room for temporary files, without which
#										calls of contracts/heavy.sql fail there; 1: there is
package LedgerContract;

use strict;
use warnings;

use Exporter 'import';
use List::Util 'max';
use Test::More;

our @EXPORT = qw($roaming @value_calls @meter_calls deploy approve refused room same_everywhere);

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

our @value_calls = (
	[ q{signed('\x05')}, 'TL013', 'invalid length of the public key' ],
	[ q{find('{{1}}')}, '0A000', 'searching for elements in multidimensional arrays is not supported' ],
	[ q{part('timezone')}, '0A000', 'timezone' ],
	[ q{range('x')}, '42601', 'invalid range bound flags' ],
	[ q{same(ROW(1, '{}'))}, '42883', 'could not identify an equality operator for type json' ],
	[ q{keep(repeat('x', 1048576), 1)}, '', '' ],
	[ q{number('42')}, '', '' ],
	[ q{number('0x2A')}, '22P02', 'invalid input syntax for type bigint: "0x2A"' ],
	[ q{number('4_2')}, '22P02', 'invalid input syntax for type bigint: "4_2"' ],
	[ q{keep(repeat('x', 1048576), 2)}, 'TL007', 'row is too large for ledger table "kept"' ],
	[ q{spell(repeat('x', 1048576))}, 'XX000', 'invalid memory alloc request size' ],
	[ q{keep('y', 3)}, '', '' ],
	[ q{code('abc', B'101', list => ARRAY['ab', 'cd'])}, '', '' ]);

our @meter_calls = (
	[ q{count_up('M-1', 5)}, '', '' ],
	[ q{count_up('M-1')}, '', '' ],
	[ q{count_up('M-2', units => 3)}, '', '' ],
	[ q{count_up('M-1', -1)}, 'P0001', 'units are above zero' ]);

# The source is text of the members' choice: quoted by dollars.
sub deploy { my ($wires, $member, $name, $text) = @_; return $wires->sql($member, "SELECT ledger.deploy('$name', \$source\$$text\$source\$)") }

sub room
{
	my ($wires, $room, @members) = @_;
	my $change = $room ? 'RESET temp_file_limit' : 'SET temp_file_limit = 0';

	$wires->sql($_, "ALTER SYSTEM $change;\nSELECT pg_reload_conf()") foreach (@members);
	return;
}

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

# What a query gives at each of them; if that differs, what at whom.
use constant SHOWN => q{SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; };

sub same_everywhere
{
	my ($wires, $query, @who) = @_;
	my $height = max(map { $wires->sql($_, 'SELECT height FROM ledger_internal.applied') } @who);
	my %answers;

	foreach my $member (@who)
	{
		push @{ $answers{ $wires->sql($member, "SELECT ledger_internal.wait_applied($height, '170 s') \\g /dev/null\n" . SHOWN . $query) } }, $member;
	}
	return keys(%answers) == 1 ? (keys %answers)[0] : join("\n", map { "at @{ $answers{$_} }: $_" } sort keys %answers);
}

1;
