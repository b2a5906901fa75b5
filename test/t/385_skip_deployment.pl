# A deployment whose script no quorum can finish is passed over by all members, once a
# quorum approves; the contract stays as it was, and the version can be deployed again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, conf => "work_mem = '64kB'\n");
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';

sub everywhere { return same_everywhere($wires, @_) }
sub outcome { my ($member, $ref) = @_; return $wires->sql($member, "SELECT state FROM ledger.outcome('$ref', '$wait')") }
sub contract { my ($name, $version) = @_; return "SELECT state, since_height, reason FROM ledger.contract WHERE name = '$name' AND version = $version ORDER BY since_height" }

# What the blocks have left: what all sign of it, the sets of rows, and what is fixed.
my $signed = q{SELECT count(*), encode(sha256(string_agg(leaf, '' ORDER BY height, number)), 'hex') FROM ledger_internal.outcome};
my $sets = q{SELECT encode(sha256(string_agg(uuid_send(table_id) || digest, '' ORDER BY table_id)), 'hex') FROM ledger.state};
my $columns = q{SELECT string_agg(attrelid::regclass || '.' || attname, ' ' ORDER BY attrelid::regclass::text, attnum) FROM pg_attribute WHERE attrelid IN ('heavy.result'::regclass, 'heavy.pile'::regclass) AND attnum > 0 AND NOT attisdropped};

# Who judges a script has room for it, whatever the server's worker has.
sub propose
{
	my ($name, $text, $proposer, @approving) = @_;
	my $room = 'SET temp_file_limit = -1;';

	$wires->sql($proposer, "$room SELECT ledger.deploy('$name', \$source\$$text\$source\$)");
	foreach my $member (@approving)
	{
		$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger_internal.open_contracts() AS o JOIN ledger_internal.ordered_chunk AS c ON c.digest = o.hash WHERE o.name = '$name')");
		$wires->sql($member, "$room SELECT ledger.approve('$name')");
	}
	return;
}

# Applying stands at a deployment, of the same block at all of them; its ref.
sub stands
{
	my ($after, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@who)
	{
		ok($wires->poll($member, "SELECT stands_at::text LIKE '0.0.%.0' AND ledger.transaction(stands_at) > $after FROM ledger.status"), "applying stands at a deployment at member $member");
	}
	my %refs = map { $_ => 1 } map { $wires->sql($_, 'SELECT stands_at FROM ledger.status') } @who;

	is(keys(%refs), 1, 'the same at all of them');
	return (keys %refs)[0];
}

sub height_of { my ($ref) = @_; return (split /\./, $ref)[2] }
sub pass_over { my ($ref, @who) = @_; $wires->sql($_, "SELECT ledger.skip('$ref')") foreach (@who); return }
sub is_skipped { my ($name, $version, @who) = @_; ok($wires->poll($_, "SELECT EXISTS (SELECT FROM ledger.contract WHERE name = '$name' AND version = $version AND state = 'skipped')"), "member $_ has passed over it") foreach (@who); return }
sub is_deployed { my ($name, $version, @who) = @_; ok($wires->poll($_, "SELECT EXISTS (SELECT FROM ledger.contract WHERE name = '$name' AND version = $version AND state = 'deployed')"), "version $version of $name is deployed at member $_") foreach (@who); return }

$wires->announce($_) foreach (@members);

# A first version, which each server has something in the way of: a schema of its name.
my $fresh = 'CREATE TABLE leaf (number integer PRIMARY KEY) USING ledger_state;';
my $first;
{
	$wires->sql(4, 'CREATE SCHEMA fresh');
	$wires->sql(1, "BEGIN; SELECT ledger.deploy('fresh', '$fresh'); CREATE SCHEMA fresh; COMMIT");
	foreach my $member (2, 3)
	{
		$wires->poll($member, q{SELECT EXISTS (SELECT FROM ledger_internal.open_contracts() AS o JOIN ledger_internal.ordered_chunk AS c ON c.digest = o.hash)});
		$wires->sql($member, q{BEGIN; SELECT ledger.approve('fresh'); CREATE SCHEMA fresh; COMMIT});
	}
	$first = stands(0, @members);
	is($wires->sql(1, 'SELECT stands_for FROM ledger.status'), 'schema "fresh" exists already', 'and each says why');
	is($wires->sql(1, q{SELECT state FROM ledger.contract WHERE name = 'fresh'}), 'approved', 'it is decided');
	pass_over($first, 2, 3, 4);
	is_skipped('fresh', 1, @members);
	like(everywhere(contract('fresh', 1), @members), qr/^skipped\|\Q${\height_of($first)}\E\|the members have passed over it$/, 'in the same block at all of them');
	is(everywhere(q{SELECT state, sqlstate, height FROM ledger.outcome('} . $first . q{')}, @members), 'skipped|TL025|' . height_of($first), 'which is its outcome');
	like(everywhere($signed, @members), qr/^1\|[0-9a-f]{64}$/, 'and what all sign');
	refused($wires, 1, "SELECT ledger.skip('$first')", qr/ERROR:  applying does not stand at deployment \Q$first\E \(contract "fresh", version 1\)\nDETAIL:  It stands at nothing\./, 'applying stands nowhere');
	$wires->sql($_, 'DROP SCHEMA fresh') foreach (@members);
	refused($wires, 1, "SELECT ledger.deploy('fresh', '$fresh')", qr/ERROR:  this script was proposed as version 1 of contract "fresh" before\nDETAIL:  Block \d+ has decided on it: the members have passed over it\.\nHINT:  Change the script/, 'a motion is decided once');
	propose('fresh', "-- again\n$fresh", 2, 1, 3);
	is_deployed('fresh', 1, @members);
}

deploy($wires, 1, 'heavy', slurp_file("$FindBin::RealBin/../contracts/heavy.sql"));
approve($wires, 'heavy', 2, 3);
is_deployed('heavy', 1, @members);
{
	my $filled = $wires->sql(1, 'SELECT heavy.fill(3000)');

	is(outcome($_, $filled), 'done', "it has rows at member $_") foreach (@members);
}

# A new version sorts all rows.
sub version { my ($number) = @_; return "ALTER TABLE result ADD COLUMN of_version_$number integer NOT NULL DEFAULT $number;\nSELECT sort_all($number);" }

# Too few ask: a quorum is three.
room($wires, 0, 1, 2, 3);
{
	propose('heavy', version(2), 1, 2, 3);
	my $ref = stands(height_of($first), 1, 2, 3);

	is_deployed('heavy', 2, 4);
	like($wires->sql(1, 'SELECT stands_for FROM ledger.status'), qr/^temporary file size exceeds/, 'member 1 says why not');
	my $row = $wires->sql(1, 'SELECT heavy.touch(1)');

	ok($wires->poll(1, "SELECT ledger.explain_wait('$row') LIKE 'Applying stands%'"), 'what follows waits');
	like($wires->sql(1, "SELECT ledger.explain_wait('$row')"), qr/^Applying stands at deployment \Q$ref\E \(contract "heavy", version 2\) of block \d+ since .*: temporary file size exceeds temp_file_limit.*  If no member can .*: SELECT ledger\.skip\('\Q$ref\E'\)/, 'and says for what');
	refused($wires, 4, "SELECT ledger.skip('$ref')", qr/ERROR:  applying does not stand at deployment \Q$ref\E \(contract "heavy", version 2\)\n/, 'who has run the script does not approve to pass over it');
	pass_over($ref, 1, 2);
	refused($wires, 1, "SELECT ledger.skip('$ref')", qr/ERROR:  this member has approved of that already/, 'nor does anybody twice');
	$wires->node(1)->stop('immediate');
	room($wires, 1, 2, 3);
	is_deployed('heavy', 2, 3);
	$wires->node(1)->start;
	room($wires, 1, 1);
	ok($wires->poll(1, q{SELECT a.state = 'idle' AND s.height > s.applied_height AND s.stands_at IS NULL FROM ledger.status AS s JOIN pg_stat_activity AS a ON a.pid = s.worker_pid}), 'member 1 could, and waits');
	is($wires->sql($_, q{SELECT state FROM ledger.contract WHERE name = 'heavy' AND version = 2}), 'approved', "nothing is passed over at member $_") foreach (1, 2);
	is($wires->sql(3, q{SELECT state FROM ledger.motion WHERE kind = 'skip' AND epoch = ledger_internal.epoch_now() AND reason LIKE '%} . $ref . q{ %'}), 'open', 'as long as it can be decided');
	$wires->sql($_, q{SELECT ledger.set_roles('member4', '{reviewer}')}) foreach (2 .. 4);
	is_deployed('heavy', 2, 1, 2);
	is(outcome($_, $row), 'done', "member $_ goes on") foreach (@members);
	is(everywhere('SELECT number, found, of_version_2 FROM heavy.result ORDER BY number', @members), "1|0|2\n2|3000|2", 'with the same state');
}

# Nobody can: those who have not asked pass over it as well.
my $second;
room($wires, 0, @members);
{
	my $before = everywhere($columns, @members);
	my $sets_before = everywhere($sets, @members);

	propose('heavy', version(3), 4, 1, 2);
	$second = stands(height_of($first), @members);
	my $row = $wires->sql(2, 'SELECT heavy.touch(2000)');

	# whoever has approved does not run the script when there is room, nor another process of his
	pass_over($second, 1, 3);
	room($wires, 1, 3);
	$wires->node(3)->stop('immediate');
	$wires->node(3)->start;
	pass_over($second, 2);
	is_skipped('heavy', 3, @members);
	is(everywhere(contract('heavy', 3), @members), 'skipped|' . height_of($second) . '|the members have passed over it', 'in the same block at all of them');
	is(everywhere($columns, @members), $before, 'the tables are those of the older version');
	is(outcome($_, $row), 'done', "and a call of it is executed at member $_") foreach (@members);
	is(everywhere('SELECT number, found, of_version_2 FROM heavy.result ORDER BY number', @members), "1|0|2\n2|3000|2\n2000|0|2", 'which finds what was there');
	my $sets_after = everywhere($sets, @members);

	unlike($sets_after, qr/^at /, 'and all come to the same');
	isnt($sets_after, $sets_before, 'which is not what it was');
	is($wires->sql($_, q{SELECT applied_height = height AND stands_at IS NULL AND stopped_by IS NULL FROM ledger.status}), 't', "member $_ stands nowhere") foreach (@members);
	is(everywhere(q{SELECT version FROM ledger.contract WHERE name = 'heavy' AND state = 'deployed'}, @members), '2', 'the older version is the one that is deployed');
}

# One member can, and does not know the others' mind: its state is another one.
room($wires, 0, 3);
room($wires, 1, 4);
$wires->node(4)->backup('before', backup_options => ['--no-manifest']);
my $third;
{
	propose('heavy', version(3) . "\n-- again", 1, 2, 3);
	is_deployed('heavy', 3, 4);
	$third = stands(height_of($second), 1, 2, 3);
	pass_over($third, 1, 2, 3);
	ok($wires->poll($_, "SELECT count(*) = 2 FROM ledger.contract WHERE name = 'heavy' AND version = 3 AND state = 'skipped'"), "member $_ has passed over it once more") foreach (1, 2, 3);
	ok($wires->poll(4, 'SELECT stopped_by FROM ledger.status', 'executed'), 'member 4, which has run the script, applies no more blocks');
	ok($wires->node(4)->wait_for_log(qr/WARNING:  the members have passed over deployment \Q$third\E, which this node has run\n.*\n.*HINT:  Restore a backup from before block \d+, run SELECT ledger\.expect_skip\(\d+, '\Q$third\E'\)/), 'and says what to do');
	refused($wires, 4, q{SELECT ledger.take_state('the others passed over a script')}, qr/ERROR:  version 3 of contract "heavy" is deployed here, and the others have passed over it\nDETAIL:.*\nHINT:  Restore a backup from before block \d+, run SELECT ledger\.expect_skip\(\d+, '\Q$third\E'\)/, 'rows alone do not help');
	restore($wires, 4, 'before');
	$wires->sql(4, "SELECT ledger.expect_skip(${\height_of($third)}, '$third')");
	$wires->sql(4, q{SELECT ledger.accept_restore('the others passed over a script')});
	rejoined($wires, 4, 1);
	ok($wires->poll(4, "SELECT count(*) = 2 FROM ledger.contract WHERE name = 'heavy' AND version = 3 AND state = 'skipped'"), 'member 4 has passed over it when it was restored');
}

# The version is deployed when there is room.
room($wires, 1, @members);
propose('heavy', version(3) . "\n-- with room", 2, 3, 4);
is_deployed('heavy', 3, @members);
is(everywhere('SELECT number, found, of_version_3 FROM heavy.result ORDER BY number', @members), "1|0|3\n2|3000|3\n3|3000|3\n2000|0|3", 'with all rows, once');
is(everywhere(q{SELECT version, state FROM ledger.contract WHERE name = 'heavy' ORDER BY since_height}, @members), "1|superseded\n2|superseded\n3|skipped\n3|skipped\n3|deployed", 'as the third one');

# A newcomer could run what was passed over.
{
	my $newcomer = $wires->add_newcomer;

	$wires->invite(1, $newcomer);
	is(join(' ', sort map { $_->{ref} } @{ decode_json($wires->{invitations}[$newcomer])->{skipped} }), join(' ', sort $first, $second, $third), 'an invitation names what is passed over');
	$wires->join($newcomer);
	my $row = $wires->sql(1, 'SELECT heavy.touch(2001)');

	is(outcome($newcomer, $row), 'done', 'a newcomer applies all blocks');
	foreach my $query ($signed, $sets, $columns, q{SELECT name, version, state, since_height, reason FROM ledger.contract ORDER BY since_height})
	{
		unlike(everywhere($query, 1, $newcomer), qr/^at /, 'and finds what the others have found');
	}
	is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "nothing is wrong at member $_") foreach (1, $newcomer);
}

done_testing();
