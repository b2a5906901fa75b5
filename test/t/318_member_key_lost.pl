# A signing key that is lost or stolen: members give its owner another one, or its
# recovery key does.  Without a key a member follows and signs nothing; one that was
# restored to before the change signs nothing either, until it rejoins.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use File::Path qw(rmtree);
use Test::More;

use LedgerContract;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

sub in_epoch
{
	my ($epoch, @who) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($wires->poll($_, 'SELECT ledger_internal.epoch_now()', $epoch), "epoch $epoch begins at member $_") foreach (@who);
	return;
}

sub is_final
{
	my ($member, $ref, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, $name);
}

sub row_of { my ($member) = @_; return $wires->sql($member, "INSERT INTO cdr VALUES ($member) RETURNING ledger_ref") }
sub file_of { my ($member) = @_; return $wires->node($member)->basedir . '/keys/' . $wires->sql($member, q{SELECT encode(public_key, 'hex') FROM ledger_internal.node}) . '.key' }

is_final($_, row_of($_), "a row of member $_ is final") foreach (@members);

# The recovery key: its secret half is kept elsewhere.
my $offline = '\\x' . '00' x 31 . '2a';
my $recovery = $wires->public_key($offline);
my $other = $wires->public_key(LedgerWire::secret(77));

refused($wires, 4, "SELECT ledger.set_recovery_key('\\x00')", qr/this is no recovery key/, 'what is no key is refused');
refused($wires, 4, "SELECT ledger.set_recovery_key('\\x" . 'ff' x 32 . "')", qr/this is no recovery key/, 'nor is what is on no curve');
refused($wires, 4, 'SELECT ledger.set_recovery_key((SELECT public_key FROM ledger_internal.node))', qr/recovery key is another one than its row key/, 'the signing key is none');
refused($wires, 4, 'SELECT ledger.set_recovery_key(NULL)', qr/a recovery key is needed/, 'nor is nothing');
refused($wires, 1, "SELECT ledger.recover_key('member4', ledger.fingerprint(), '\\x00')", qr/has registered no recovery key/, 'who has none is not recovered by it');
$wires->sql(4, "SELECT ledger.set_recovery_key('$recovery')");
in_epoch(1, @members);
is($wires->sql($_, 'SELECT recovery_key FROM ledger.member WHERE member = 4'), $recovery, "member $_ knows it") foreach (@members);
refused($wires, 4, "SELECT ledger.set_recovery_key('$recovery')", qr/has that recovery key already/, 'it is registered once');
refused($wires, 4, "SELECT ledger.set_recovery_key('$other')", qr/does not replace it alone/, 'and not replaced by its member');

# Whoever has the signing key may propose that all the same; no node approves of itself.
$wires->sql(4, "INSERT INTO ledger_internal.approval_asked (motion) SELECT ledger_internal.own_keys_motion(NULL, '$other'); SELECT ledger_internal.wire_changed()");
ok($wires->poll(1, q{SELECT count(*) = 1 FROM ledger.motion WHERE state = 'open'}), 'a thief can propose another one');
is($wires->sql(1, q{SELECT ledger_internal.own_keys_by(o.motion, o.reason, o.leaves[1]) IS NULL FROM ledger_internal.open_motions() AS o}), 't', 'of which nobody approves without being asked');
# Nor of what somebody says about another member's key.
$wires->sql(1, "INSERT INTO ledger_internal.approval_asked (motion) SELECT ledger_internal.make_change('member2 has another key', '{}', ARRAY[ledger_internal.make_leaf(m.member, m.name, m.kind, m.roles, '$other', NULL)]) FROM ledger_internal.members() AS m WHERE m.member = 2; SELECT ledger_internal.wire_changed()");
ok($wires->poll(3, q{SELECT count(*) = 2 FROM ledger.motion WHERE state = 'open'}), 'one member can propose a key for another');
is($wires->sql(3, q{SELECT count(ledger_internal.own_keys_by(o.motion, o.reason, o.leaves[1])) FROM ledger_internal.open_motions() AS o}), '0', 'of which nobody approves without being asked either');

# A leaf may hold anything: recovery keys that are none, in motions of whom they are
# about.  They are proposed, nobody approves of them, and everybody goes on.
foreach my $bad ("decode(repeat('00', 32), 'hex')", "decode(repeat('ff', 32), 'hex')", 'm.row_key')
{
	$wires->sql(4, "INSERT INTO ledger_internal.approval_asked (motion) SELECT ledger_internal.make_change('member4 has a recovery key', '{}', ARRAY[substring(m.leaf FOR octet_length(m.leaf) - 32) || $bad]) FROM ledger_internal.members() AS m WHERE m.member = 4; SELECT ledger_internal.wire_changed()");
}
foreach my $member (1, 2, 3)
{
	ok($wires->poll($member, q{SELECT count(*) = 5 FROM ledger.motion WHERE state = 'open'}), "malformed leaves have come to member $member");
	is($wires->sql($member, q{SELECT count(ledger_internal.own_keys_by(o.motion, o.reason, o.leaves[1])) FROM ledger_internal.open_motions() AS o}), '0', 'and are for nobody to approve of');
}
is_final($_, row_of($_), "after malformed leaves a row of member $_ is final") foreach (@members);
$wires->restart_wire(1);
is_final(1, row_of(1), 'and after a start');

# The key of member 3 is lost.  A copy of its database is kept for later.
$wires->rest(@members);
my $lost = file_of(3);
my $node = $wires->node(3);
my $backup = PostgreSQL::Test::Utils::tempdir() . '/backup';

# A file that others can read, or with another content, is like none.
$node->stop;
chmod 0644, $lost or die "$lost: $!";
my $log = -s $node->logfile;

$node->start;
ok($node->wait_for_log(qr/WARNING:  signing key ".*" is accessible to others/, $log), 'a file of the key that others can read is of no use');
my $held = row_of(3);

is_final(1, row_of(1), 'the others go on');
ok($wires->poll(3, 'SELECT max(height) >= ' . $wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block') . ' FROM ledger_internal.ordered_block'), 'and it follows them');
rename $lost, "$lost.gone" or die "$lost: $!";
append_to_file($lost, '1' x 64 . "\n");
chmod 0600, $lost or die "$lost: $!";
is_final(1, row_of(1), 'the same with another file under its name');
ok($wires->poll(3, 'SELECT max(height) >= ' . $wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block') . ' FROM ledger_internal.ordered_block'), 'it follows');
is($wires->sql(3, "SELECT ledger.finality('$held')"), 'committed', 'and a row of it waits');
my $said = slurp_file($node->logfile, $log);

is(scalar(() = $said =~ /signing key ".*" is accessible to others/g), 1, 'it has said so once');
unlike($said, qr/ERROR|FATAL.*signing key/, 'and no process of it ends for that');
rename "$lost.gone", $lost or die "$lost: $!";
chmod 0600, $lost or die "$lost: $!";
is_final(3, $held, 'with the key there again its row is final');
$wires->rest(@members);

$node->stop;
PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, $backup);
rename $lost, "$lost.gone" or die "$lost: $!";
$node->start;
is_final(1, row_of(1), 'the others go on');
my $height = $wires->sql(1, 'SELECT max(height) FROM ledger_internal.ordered_block');
ok($wires->poll(3, "SELECT max(height) >= $height FROM ledger_internal.ordered_block"), 'and it follows them without its key');
ok($node->log_contains('WARNING:  could not open signing key'), 'the log says what it lacks');
my $waits = row_of(3);
is($wires->sql(3, "SELECT ledger.finality('$waits')"), 'committed', 'a row of it waits');
my $print = $wires->sql(3, 'SELECT ledger.new_fingerprint()');
refused($wires, 1, "SELECT ledger.set_key('nobody', '$print')", qr/there is no member "nobody"/, 'who is no member gets no key');
refused($wires, 1, "SELECT ledger.set_key('member3', '" . $wires->sql(1, 'SELECT ledger.fingerprint()') . "')", qr/the members cannot be changed like this.*Two members would have the same key/s, 'nor does a member get that of another one');
my $motion = $wires->sql(1, "SELECT ledger.set_key('member3', '$print')");
foreach my $member (2, 4)
{
	$wires->poll($member, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
	is($wires->sql($member, "SELECT ledger.set_key('member3', '$print')"), $motion, "member $member approves");
}
in_epoch(2, @members);
is($wires->sql(3, 'SELECT ledger.fingerprint()'), $print, 'member 3 has another key');
is_final(3, $waits, 'and what waited is final');
is_final(3, row_of(3), 'like what comes now');

# Restored to before that, with its wire and its old key: in the old epoch it lacks no
# row, and those of the new one are by a key that it does not know yet.
$wires->rest(@members);
$node->stop;
rmtree($node->data_dir);
PostgreSQL::Test::RecursiveCopy::copypath($backup, $node->data_dir);
chmod 0700, $node->data_dir;
rename "$lost.gone", $lost or die "$lost: $!";
my $votes = $wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log WHERE member = 3');
my $log_size = -s $node->logfile;

$node->start;
ok($node->wait_for_log(qr/consensus alarm: others have rows of this node that it lacks/, $log_size), 'a member restored to before the change is told what it lacks');
is_final(1, row_of(1), 'the others go on without it');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log WHERE member = 3'), $votes, 'it has signed nothing');
is($wires->sql(1, 'SELECT count(*) FROM ledger.evidence'), '0', 'nobody accuses it');
$wires->sql(3, q{SELECT ledger.accept_restore('restored to before its key was lost')});
ok($wires->poll(3, q{SELECT state = 'live' FROM ledger.status}), 'it rejoins');
is_final(3, row_of(3), 'and has rows again');

# Restored from an older backup without its key, and given another one: in between it
# could not ask, as it signs nothing; it asks before the new key signs (R30).
my $second = $wires->node(2);
my $older = PostgreSQL::Test::Utils::tempdir() . '/older';
my $file = file_of(2);

$wires->rest(@members);
$second->stop;
PostgreSQL::Test::RecursiveCopy::copypath($second->data_dir, $older);
$second->start;
my $signed = $wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log WHERE member = 2');
is_final(1, row_of(1), 'the others have rows');
ok($wires->poll(1, "SELECT count(*) > $signed FROM ledger_internal.peer_log WHERE member = 2"), 'and member 2 has signed what its backup lacks');
$second->stop;
rmtree($second->data_dir);
PostgreSQL::Test::RecursiveCopy::copypath($older, $second->data_dir);
chmod 0700, $second->data_dir;
rename $file, "$file.gone" or die "$file: $!";
$log_size = -s $second->logfile;
$second->start;
$print = $wires->sql(2, 'SELECT ledger.new_fingerprint()');
foreach my $member (1, 3, 4)
{
	$wires->sql($member, "SELECT ledger.set_key('member2', '$print')");
}
in_epoch(3, @members);
ok($second->wait_for_log(qr/consensus alarm: others have rows of this node that it lacks/, $log_size), 'with its new key it is told what it lacks');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log WHERE member = 2 AND epoch = 3'), '0', 'and has signed nothing with it');
$wires->sql(2, q{SELECT ledger.accept_restore('restored without its key')});
ok($wires->poll(2, q{SELECT state = 'live' FROM ledger.status}), 'it rejoins');
is_final(2, row_of(2), 'and has rows again');

# Whoever keeps the recovery key gives member 4 another signing key; any member passes it on.
$print = $wires->sql(4, 'SELECT ledger.new_fingerprint()');
my $digest = $wires->sql(1, "SELECT ledger.recovery_digest('member4', '$print')");
my $signature = $wires->sql(1, "SELECT ledger.schnorr_sign('$digest', '$offline')");
my $forged = $wires->sql(1, "SELECT ledger.schnorr_sign('$digest', '" . LedgerWire::secret(77) . "')");

refused($wires, 1, "SELECT ledger.recover_key('member4', '$print', '$forged')", qr/that is no signature of the recovery key/, 'a signature by another key is refused');
refused($wires, 1, "SELECT ledger.recover_key('member4', '$print', '\\x00')", qr/that is no signature of the recovery key/, 'so is what is no signature');
refused($wires, 1, "SELECT ledger.recover_key('member4', ledger_internal.fingerprint_of('$other'), '$signature')", qr/that is no signature of the recovery key/, 'and one for another fingerprint');
$wires->sql(1, "SELECT ledger.recover_key('member4', '$print', '$signature')");
in_epoch(4, @members);
is($wires->sql($_, 'SELECT fingerprint, recovery_key FROM ledger.member WHERE member = 4'), "$print|$recovery", "member $_ knows the recovered key") foreach (@members);
is_final($_, row_of($_), "a row of member $_ is final") foreach (@members);
refused($wires, 1, "SELECT ledger.recover_key('member4', '$print', '$signature')", qr/that is no signature of the recovery key/, 'what was signed is of use once');
is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@members);

done_testing();
