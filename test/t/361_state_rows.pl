# The set hash of a shared table's rows: the same on all members, what anybody
# can compute from the rows, and what tells when a superuser changes one or the
# other.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Digest::SHA qw(sha256);
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my $id = '00112233-4455-6677-8899-aabbccddeeff';
my $nothing = "sha256('')";

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->sql($member, q{CREATE FUNCTION price_is_fair(numeric) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 > 0 OR coalesce(current_setting('test.lenient', true), '') = 'on'$$});
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, price numeric(10,2) CHECK (price_is_fair(price)), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}

# A row of that member, applied by these.
sub offer
{
	my ($member, $values, @who) = @_;
	my $ref = $wires->sql($member, "SET test.lenient = 'on'; INSERT INTO offer VALUES ($values) RETURNING ledger_ref");

	foreach my $other (@who)
	{
		$wires->poll($other, "SELECT EXISTS (SELECT FROM ledger.rejected WHERE ref = '$ref') OR (EXISTS (SELECT FROM offer WHERE ledger_ref = '$ref') AND ledger.height('$ref') IS NOT NULL)")
		  || diag("member $other does not apply $ref: " . $wires->sql($other, 'SELECT * FROM ledger.status'));
	}
	return $ref;
}

# What these have in ledger.state, each different answer once.
sub states
{
	my %states = map { $wires->sql($_, 'SELECT relation, height, digest FROM ledger.state') => 1 } @_;

	return join "\n", sort keys %states;
}

# Rows changed as if the table were an ordinary one.
sub as_heap
{
	my ($member, $sql) = @_;
	my $relam = 'UPDATE pg_class SET relam = (SELECT oid FROM pg_am WHERE amname =';

	$wires->sql($member, "SET allow_system_table_mods = on; BEGIN; $relam 'heap') WHERE oid = 'offer'::regclass; $sql; $relam 'ledger') WHERE oid = 'offer'::regclass; COMMIT");
	return;
}

# RFC 6962, section 2.1.
sub root
{
	my @leaves = @_;
	my $left = 1;

	return sha256('') if @leaves == 0;
	return sha256("\0$leaves[0]") if @leaves == 1;
	$left *= 2 while 2 * $left < @leaves;
	return sha256("\1" . root(@leaves[ 0 .. $left - 1 ]) . root(@leaves[ $left .. $#leaves ]));
}

# Stable checkpoints whose outcome root is not the one over the rejections behind
# the checkpoint that the block's header names.
sub wrong_roots
{
	my ($member) = @_;
	my @wrong;

	foreach my $line (split /\n/, $wires->sql($member, q{SELECT c.height, encode(c.outcome_root, 'hex'),
		(SELECT coalesce(string_agg(encode(o.leaf, 'hex'), ',' ORDER BY o.height, o.number), '') FROM ledger_internal.outcome AS o
		  WHERE o.height <= c.height AND o.height > ('x' || encode(substring(b.header FROM 247 FOR 8), 'hex'))::bit(64)::bigint)
		FROM ledger_internal.checkpoint AS c JOIN ledger_internal.ordered_block AS b USING (height) ORDER BY height}))
	{
		my ($height, $root, $leaves) = split /\|/, $line;

		push @wrong, $height if $root ne unpack 'H*', root(map { pack 'H*', $_ } split /,/, $leaves // '');
	}
	return "@wrong";
}

sub problems
{
	my ($member) = @_;

	return $wires->sql($member, "SELECT DISTINCT kind, relation FROM ledger.verify(mode => 'full') ORDER BY kind");
}

# The same everywhere, and what the rows of the first member give.
offer(1, '1, 1.50, NULL', @members);
is(states(@members), "offer|" . $wires->sql(1, "SELECT max(height) FROM ledger_internal.state") . '|'
	  . $wires->sql(1, "SELECT ledger.set_hash(ledger.state_element(ledger.encode_row('offer', ledger_ref))) FROM offer"),
	'one row: all have the set hash that its encoding gives');
offer($_, "$_, 2, 'of $_'", @members) foreach (@members);
is(scalar(split /\n/, states(@members)), 1, 'rows of all: all have the same set hash');

# A refused row is in no set, and in everybody's outcomes.
my $before = states(1);
my $bad = offer(2, "9, -1, 'no good'", @members);
is(states(@members), $before, 'a refused row is not in the set');
my %outcomes = map { $wires->sql($_, "SELECT height, number, leaf FROM ledger_internal.outcome") => 1 } @members;
like(join('', keys %outcomes), qr/^\d+\|1\|\\x070103[0-9a-f]{16}[0-9a-f]{32}3233353134[0-9a-f]{64}$/, 'but in the outcomes of all, with its SQLSTATE')
  || diag(join "\n", keys %outcomes);
ok($wires->poll($_, "SELECT EXISTS (SELECT FROM ledger_internal.checkpoint WHERE state_root <> $nothing AND outcome_root <> $nothing)"), "member $_ has a stable checkpoint over rows and outcomes")
  foreach (@members);
is(problems($_), '', "member $_ finds nothing wrong") foreach (@members);

# Many refused rows, in one block and in several.
{
	my $many = "INSERT INTO offer SELECT 100 + n, -1, 'many' FROM generate_series(1, 1500) AS n;";

	$wires->sql(2, "SET test.lenient = 'on'; INSERT INTO offer VALUES (90, -1, 'one');" . $many x 2 . "INSERT INTO offer VALUES (91, -1, 'last')");
	foreach my $member (@members)
	{
		ok($wires->poll($member, 'SELECT count(*) = 3003 FROM ledger_internal.outcome'), "member $member has an outcome for each");
		ok($wires->poll($member, 'SELECT max(height) >= (SELECT max(height) FROM ledger_internal.outcome) FROM ledger_internal.checkpoint'), 'and a stable checkpoint over them')
		  || diag($wires->sql($member, 'SELECT * FROM ledger.status'));
		is(wrong_roots($member), '', 'outcome roots are those over the rejections since the checkpoint before');
	}
	offer(3, "30, 2, 'after many'", @members);
	is(wrong_roots(1), '', 'and when there are no more');
}

# A row that was changed does not change what was signed; verification says so.
as_heap(3, "UPDATE offer SET price = 1 WHERE note = 'of 1'");
like(problems(3), qr/^state_changed\|offer$/m, 'a changed row of another member: the set hash is not that of the rows');
as_heap(3, "UPDATE offer SET price = 2 WHERE note = 'of 1'");
is(problems(3), '', 'and is again when it is put back');

# A set hash that was changed: noticed when the table changes, and by the others.
$wires->sql(3, 'UPDATE ledger_internal.table_state SET set_hash = set_byte(set_hash, 7, get_byte(set_hash, 7) # 1)');
like(problems(3), qr/^state_changed\|offer$/m, 'a changed set hash is found');
offer(1, "20, 2, 'after'", 1, 2, 4);
ok($wires->poll(3, "SELECT stopped_by = 'diverged' AND damaged_tables = ARRAY['offer'::regclass] FROM ledger.status"), 'member 3 learns that its state differs, and says of which table')
  || diag($wires->sql(3, 'SELECT * FROM ledger.status'));
ok(slurp_file($wires->node(3)->logfile) =~ /WARNING:.*the state of this node after block \d+ is not the one.*\n.*of these tables was changed: public\.offer\./, 'in its log as well');
offer(2, "21, 2, 'later'", 1, 2, 4);
is($wires->sql(3, 'SELECT count(*) FROM offer WHERE id = 21'), '0', 'it applies no more blocks');

# From its own rows, which are right, it goes on.
$wires->sql(3, 'SELECT ledger.recompute_state()');
ok($wires->poll(3, 'SELECT EXISTS (SELECT FROM offer WHERE id = 21)'), 'with its state computed again it applies what it missed');
offer(3, "22, 2, 'again'", @members);
is(states(1, 2, 4), states(3), 'and has the state of the others');
is(problems($_), '', "member $_ finds nothing wrong") foreach (@members);

# What is stored beside the set hashes: their digests, and certificates of states.
# Newer checkpoints may come at any moment, so one that stands is changed.
foreach my $stored ([ 'table_state', 'true', 'digest', 'The digest stored for the table is not that of the set hash beside it' ],
	[ 'checkpoint', 'height = (SELECT min(height) FROM ledger_internal.checkpoint)', 'certificate', 'The certificate of a stable checkpoint does not hold' ])
{
	my ($table, $which, $column, $detail) = @$stored;
	my $change = "UPDATE ledger_internal.$table SET $column = set_byte($column, octet_length($column) - 1, get_byte($column, octet_length($column) - 1) # 1) WHERE $which";

	like($wires->sql(3, "$change; SELECT detail FROM ledger.verify(mode => 'full')"), qr/^\Q$detail\E/m, "a changed $column is named");
	$wires->sql(3, $change);
	is(problems(3), '', 'and is right again when it is put back');
}

done_testing();
