# A call that no quorum can execute is passed over by all members, once a quorum
# approves: those at whom applying stands there, and nobody else.
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

my $wires = LedgerWire->new(4, ordered => 1, conf => "work_mem = '64kB'\nmax_prepared_transactions = 1\n");
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';

$wires->announce($_) foreach (@members);
deploy($wires, 1, 'heavy', slurp_file("$FindBin::RealBin/../contracts/heavy.sql"));
approve($wires, 'heavy', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'heavy'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);
# A DBA may want indexes of his own on what blocks leave, whatever they are on.
$wires->sql(3, "CREATE INDEX ON ledger_internal.$_") foreach ('call_outcome ((upper(sqlstate)))', 'outcome ((octet_length(leaf))) WHERE height % 2 = 0', 'foreign_rows ((height + 1)) WHERE section = 0');
sub outcome { my ($member, $ref) = @_; return $wires->sql($member, "SELECT state FROM ledger.outcome('$ref', '$wait')") }
sub everywhere { return same_everywhere($wires, @_) }

my $filled = $wires->sql(1, 'SELECT heavy.fill(3000)');

is(outcome($_, $filled), 'done', "it has rows at member $_") foreach (@members);

sub stands { my ($ref, @who) = @_; ok($wires->poll($_, 'SELECT stands_at FROM ledger.status', $ref), "applying stands there at member $_") foreach (@who); return }

# The pause after a fourth failure in a row is 8 s, unless what made it fail has changed.
sub fails { my ($member) = @_; return ok($wires->poll($member, 'SELECT failures > 3 FROM ledger_internal.stand()'), "attempt follows attempt at member $member") }
sub now { my ($member) = @_; return $wires->sql($member, 'SELECT clock_timestamp()') }

sub at_once
{
	my ($member, $since, $name) = @_;

	return is($wires->sql($member, "SELECT backend_start BETWEEN '$since' AND '$since'::timestamptz + interval '5 s' FROM pg_stat_activity AS a JOIN ledger.status AS s ON s.worker_pid = a.pid"), 't', $name);
}

# Where one member alone cannot, nothing is passed over.
room($wires, 0, 3);
{
	my $ref = $wires->sql(1, 'SELECT heavy.sorted(1)');

	is(outcome($_, $ref), 'done', "member $_ executes a call") foreach (1, 2, 4);
	stands($ref, 3);
	like($wires->sql(3, 'SELECT stands_for FROM ledger.status'), qr/^temporary file size exceeds/, 'member 3 says why not');
	like($wires->sql(3, "SELECT ledger.explain_wait('$ref')"), qr/^Applying stands at call \Q$ref\E of block \d+ since .*: temporary file size exceeds temp_file_limit/, 'in a sentence, too');
	refused($wires, 1, "SELECT ledger.skip('$ref')", qr/ERROR:  applying does not stand at call \Q$ref\E\nDETAIL:  It stands at nothing\./, 'who has executed it does not approve to pass over it');
	refused($wires, 3, q{SELECT ledger.skip('1.0.1.1')}, qr/ERROR:  applying does not stand at call 1\.0\.1\.1\nDETAIL:  It stands at call \Q$ref\E of block \d+\./, 'nor does anybody of another call');
	ok($wires->poll(3, "SELECT EXISTS (SELECT FROM ledger_internal.checkpoint AS c, ledger_internal.stand() AS s WHERE c.height >= s.height)"), 'a quorum has signed the state after it');
	refused($wires, 3, "SELECT ledger.skip('$ref')", qr/ERROR:  call \Q$ref\E is not passed over any more\nDETAIL:  A quorum of the members has applied block \d+/, 'which is not given up');
	fails(3);
	my $since = now(3);
	room($wires, 1, 3);
	is(outcome(3, $ref), 'done', 'member 3 executes it when it has room');
	at_once(3, $since, 'without a pause when its settings are read');
	is($wires->sql(3, 'SELECT stands_at IS NULL FROM ledger.status'), 't', 'and stands nowhere');
}

# An approval binds until it is decided, or the members change.
room($wires, 0, 1, 2, 3);
my $lapsed = $wires->sql(1, 'SELECT heavy.sorted(2)');

stands($lapsed, 1);
refused($wires, 1, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT ledger.skip('$lapsed')", qr/ERROR:  ledger\.skip\(\) needs a transaction that is READ COMMITTED\nDETAIL:  This one is REPEATABLE READ, .*\nHINT:/, 'an older snapshot is refused');

# Whoever leaves the session open holds up what is applied, and not what is ordered.
$wires->sql(1, "BEGIN; SELECT ledger.skip('$lapsed'); PREPARE TRANSACTION 'open'");
$wires->sql($_, q{SELECT ledger.set_roles('member4', '{reviewer}')}) foreach (2 .. 4);
ok($wires->poll(1, q{SELECT roles FROM ledger.member WHERE name = 'member4'}, '{reviewer}'), 'members decide while a session is in the middle of an approval');
$wires->sql(1, q{COMMIT PREPARED 'open'});
ok($wires->poll(1, 'SELECT count(*) FROM ledger_internal.approval_asked', '0'), 'which is of an epoch that is over');
stands($lapsed, 1);
my $approvals = $wires->sql(1, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 9');
$wires->node(1)->backup('standing', backup_options => ['--no-manifest']); # it has no room for one
like($wires->sql(1, "SELECT ledger.skip('$lapsed')"), qr/^[0-9a-f]{64}$/, 'a member approves to pass over another one');
refused($wires, 1, "SELECT ledger.skip('$lapsed')", qr/ERROR:  this member has approved of that already/, 'once');
ok($wires->poll(2, q{SELECT count(*) FROM ledger.motion WHERE kind = 'skip' AND state = 'open'}, '1'), 'others know it');

# It binds a member that does not remember it.
{
	restore($wires, 1, 'standing');
	is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 9'), $approvals, 'a member is restored to before its approval');
	$wires->sql(1, q{SELECT ledger.accept_restore('the disk failed')});
	room($wires, 1, 1);
	rejoined($wires, 1, 1);
}
room($wires, 1, 2, 3);
is(outcome(2, $lapsed), 'done', 'another member executes it later');
ok($wires->poll(1, q{SELECT a.state = 'idle' AND s.height > s.applied_height FROM ledger.status AS s JOIN pg_stat_activity AS a ON a.pid = s.worker_pid}), 'member 1 could, and waits');
is($wires->sql(1, q{SELECT kind, reason, state FROM ledger.motion WHERE kind = 'skip'}), 'skip|' . $wires->sql(2, "SELECT format('skip call $lapsed of block %s', height) FROM ledger.call_outcome WHERE ref = '$lapsed'") . '|open', 'as long as it can be decided');
$wires->sql($_, q{SELECT ledger.set_roles('member4', '{auditor}')}) foreach (2 .. 4);
is(outcome(1, $lapsed), 'done', 'when the members have changed it executes the call');
is($wires->sql(1, q{SELECT state FROM ledger.motion WHERE kind = 'skip'}), 'lapsed', 'and the motion has lapsed');
is(everywhere('SELECT count(*) FROM heavy.result', @members), '2', 'with the same state as elsewhere');

# A quorum cannot, and one member could.  What comes before the call in its block is executed with each attempt.
room($wires, 0, 1, 2, 3);
my $ref = (split /\n/, $wires->sql(1, 'BEGIN; SELECT heavy.touch(3); SELECT heavy.sorted(30); COMMIT'))[-1];

is(outcome(4, $ref), 'done', 'member 4 executes a call');
stands($ref, 1, 2, 3);
my $next = $wires->sql(2, 'SELECT heavy.touch(4)');
{
	my $since = $wires->sql(1, 'SELECT stands_since FROM ledger.status');

	fails(1);
	is($wires->sql(1, 'SELECT stands_since FROM ledger.status'), $since, 'since the first one');
}
is($wires->sql(1, "SELECT state FROM ledger.outcome('$next', '0')"), 'waiting', 'what follows waits');
my $asked = now(1);
$wires->sql($_, "SELECT ledger.skip('$ref')") foreach (1, 2, 3);
is(outcome($_, $ref), 'skipped', "member $_ has passed over it") foreach (1, 2, 3);
at_once(1, $asked, 'without a pause when it is decided');
is(outcome($_, $next), 'done', "and goes on at member $_") foreach (1, 2, 3);
is(everywhere('SELECT number FROM heavy.result ORDER BY number', 1, 2, 3), "1\n2\n3\n4", 'it has changed nothing');
is(everywhere("SELECT state, sqlstate, message FROM ledger.outcome('$ref')", 1, 2, 3), 'skipped|TL025|the members have passed over the call', 'its outcome says so');
like($wires->error_of(1, "CALL ledger.execute('$ref')"), qr/ERROR:  the members have passed over the call\nDETAIL:  No member has executed call \Q$ref\E of block \d+\./, 'and so does who waits for it');
like(everywhere(q{SELECT count(*), encode(sha256(string_agg(leaf, '' ORDER BY height, number)), 'hex') FROM ledger_internal.outcome}, 1, 2, 3), qr/^\d+\|[0-9a-f]{64}$/, 'what all sign of it is the same');

# Who has executed it has another state, and knows.
ok($wires->poll(4, 'SELECT stopped_by FROM ledger.status', 'executed'), 'member 4 applies no more blocks');
ok($wires->node(4)->wait_for_log(qr/WARNING:  the members have passed over call \Q$ref\E of block \d+, which this node has executed\n.*\n.*HINT:  SELECT ledger\.take_state\('reason'\) .*  Or restore a backup from before that block, run SELECT ledger\.expect_skip\(\d+, '\Q$ref\E'\)/), 'and says what to do');
refused($wires, 4, 'SELECT ledger.recompute_state()', qr/ERROR:  this node has not stopped to apply blocks for its set hashes/, 'its state is not mended by counting');

# A timer, in the same way; those who have room now do not execute what is skipped.
is(outcome(1, $wires->sql(1, q{SELECT heavy.remind('a')})), 'done', 'a call sets a timer');
ok($wires->poll($_, q{SELECT stands_at::text LIKE '0.0.%.1' FROM ledger.status}), "applying stands at the timer at member $_") foreach (1, 2, 3);
my $timer = $wires->sql(1, 'SELECT stands_at FROM ledger.status');

$wires->sql($_, "SELECT ledger.skip('$timer')") foreach (1, 2, 3);
is(outcome($_, $timer), 'skipped', "member $_ has passed over the timer") foreach (1, 2, 3);
is(everywhere('SELECT state, handler, key, (SELECT count(*) FROM heavy.late_timer) FROM ledger.timer_outcome', 1, 2, 3), 'skipped|late|a|0', 'which is gone');
refused($wires, 1, "SELECT ledger.outcome('$_', '$wait')", qr/ERROR:  \Q$_\E is no timer\nDETAIL:  Its block is applied here/, "no timer has ref $_") foreach ($timer =~ s/1$/2/r, '0.0.1.1');
is($wires->sql(1, q{SELECT state FROM ledger.outcome('0.0.999999.1')}), 'waiting', 'one of a block that is not there may come');
room($wires, 1, 1, 2, 3);
is(outcome($_, $wires->sql(1, "SELECT heavy.sorted(5$_)")), 'done', "member $_ goes on") foreach (1, 2, 3);
is($wires->sql(1, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong');
refused($wires, 1, qq{SELECT ledger.expect_skip(height, ref) FROM ledger.call_outcome WHERE ref = '$ref'}, qr/ERROR:  block \d+ is applied already/, 'what was passed over is told before, or not at all');

# Who has executed the first takes the state of the others.
foreach my $member (1 .. 3)
{
	$wires->sql($member, $_) foreach ('ALTER SYSTEM SET telco_ledger.show_state = on', 'SELECT pg_reload_conf()');
}
$wires->sql(4, q{SELECT ledger.take_state('a call was passed over')});
ok($wires->poll(4, 'SELECT stopped_by IS NULL AND applied_height = height FROM ledger.status'), 'member 4 goes on') || diag($wires->sql(4, 'SELECT * FROM ledger.state_take'));
is(everywhere('SELECT number FROM heavy.result ORDER BY number', @members), "1\n2\n3\n4\n51\n52\n53", 'with the state of the others');
is($wires->sql(4, "SELECT state FROM ledger.outcome('$ref')"), 'unknown', 'and without what it had done');
is($wires->sql(4, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'nothing is wrong there');

# Who has approved, and the others have executed it: a state that is taken ends the wait.
room($wires, 0, @members);
{
	my $bound = $wires->sql(1, 'SELECT heavy.sorted(54)');

	stands($bound, @members);
	like($wires->sql(4, "SELECT ledger.skip('$bound')"), qr/^[0-9a-f]{64}$/, 'member 4 approves to pass over a call');
	room($wires, 1, @members);
	is(outcome($_, $bound), 'done', "member $_ executes it") foreach (1, 2, 3);
	my $height = $wires->sql(1, "SELECT height FROM ledger.call_outcome WHERE ref = '$bound'");

	ok($wires->poll(4, "SELECT max(height) >= $height FROM ledger_internal.checkpoint"), 'and a quorum has signed the state after it');
	cmp_ok($wires->sql(4, 'SELECT applied_height FROM ledger.status'), '<', $height, 'member 4, which is bound, waits');
	$wires->sql(4, q{SELECT ledger.take_state('the others have executed a call')});
	ok($wires->poll(4, 'SELECT stopped_by IS NULL AND applied_height = height FROM ledger.status'), 'until it takes the state of the others') || diag($wires->sql(4, 'SELECT * FROM ledger.state_take'));
	is(everywhere('SELECT number FROM heavy.result ORDER BY number', @members), "1\n2\n3\n4\n51\n52\n53\n54", 'which has what the call did');
}

# Newcomers could execute both: one is told by its invitation, and another one by hand
# of a call that nobody has passed over.
{
	my ($told, $misled) = map { $wires->add_newcomer } 1, 2;
	my ($first, $height) = split /\|/, $wires->sql(1, q{SELECT o.ref, o.height FROM heavy.sorted_call AS c JOIN ledger.call_outcome AS o ON o.ref = c.ledger_ref WHERE c.number = 1});

	$wires->invite(1, $_) foreach ($told, $misled);
	is(join(' ', sort map { $_->{ref} } @{ decode_json($wires->{invitations}[$told])->{skipped} }), join(' ', sort $ref, $timer), 'an invitation names what is passed over');
	$wires->sql($misled, "SELECT ledger.expect_skip($height, '$first')");
	$wires->join($_) foreach ($told, $misled);
	is($wires->sql($told, 'SELECT count(*) FROM ledger_internal.skip WHERE told'), '2', 'which the newcomer notes');
	my $last = $wires->sql(1, 'SELECT heavy.touch(60)');

	is(outcome($_, $last), 'done', 'a newcomer applies all blocks') foreach ($told, $misled);
	is(everywhere('SELECT number FROM heavy.result ORDER BY number', 1, 2, $told), "1\n2\n3\n4\n51\n52\n53\n54\n60", 'without what was passed over');
	is(outcome($misled, $first), 'skipped', 'one that was told by hand has not executed that');
	is($wires->sql($misled, 'SELECT number FROM heavy.result ORDER BY number'), "2\n3\n4\n51\n52\n53\n54\n60", 'and has another state, as it was told wrong');
}

done_testing();
