# A ledger of two members loses one of them for good.  The other ends it, with a
# key that it has kept offline, and begins another ledger in a database of its own,
# to which it invites somebody.  What was on the old one stays and is proved there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $secret = '\\x' . '5a' x 32;
my $wires = LedgerWire->new(0);

$wires->add_newcomer;
my $server = $wires->node(1);
my $recovery = $wires->public_key($secret);

$wires->sql(1, "SELECT ledger.create_node('member1', purpose => 'test', ordered => true, recovery_key => '$recovery')");
$wires->sql(1, 'CREATE TABLE cdr (id bigint) USING ledger');
$wires->announce(1);
my $lost = $wires->add_newcomer;

$wires->invite(1, $lost);
$wires->join($lost);
$wires->admit([$lost], 1);
my @refs = map { $wires->sql($_, "INSERT INTO cdr VALUES ($_) RETURNING ledger_ref") } (1, $lost);

$wires->final($_ == 0 ? 1 : $lost, $refs[$_], "row $_ is final") foreach (0, 1);
ok($wires->poll(1, "SELECT max(height) > 1 AND count(*) FILTER (WHERE height = (SELECT since_height FROM ledger.member WHERE member = 2)) = 1 FROM ledger.block"), 'blocks of both');
my $old = receipt($server, 'postgres', $refs[0]);

# The newest block changes the members.
my $change = $wires->sql(1, q{SELECT ledger.set_roles('member1', '{operator}')});

$wires->poll($lost, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$change')");
$wires->sql($lost, q{SELECT ledger.set_roles('member1', '{operator}')});
ok($wires->poll(1, q{SELECT roles = '{operator}' FROM ledger.member WHERE member = 1}), 'the members change');
is($wires->sql(1, 'SELECT (SELECT max(height) FROM ledger_internal.epoch) - max(height) FROM ledger_internal.block'), '0', 'with the last block that there is');

# Member 2 is gone: nothing becomes final any more.
$wires->node($lost)->stop('immediate');
my $waits = $wires->sql(1, 'INSERT INTO cdr VALUES (3) RETURNING ledger_ref');

like($wires->error_of(1, "SELECT ledger.wait_final('$waits', '2 s')"), qr/not final/, 'a row waits for both members');

sub in_new { my ($query) = @_; return $server->safe_psql('second', $query) }

sub error_in
{
	my ($database, $query) = @_;
	my (undef, undef, $error) = $server->psql($database, $query);

	return $error;
}

sub receipt { my ($node, $database, $ref) = @_; return $node->safe_psql($database, "SELECT ledger.receipt('cdr', '$ref')") }

sub verdict
{
	my ($node, $database, $paper, $change) = @_;

	return $node->safe_psql($database, "SELECT valid, CASE WHEN NOT valid THEN reason END FROM ledger.verify_receipt(\$\$$paper\$\$::jsonb $change)");
}

$server->safe_psql('postgres', "CREATE DATABASE second TEMPLATE template0 ENCODING 'UTF8'");
$server->create_extension('second');
my $print = in_new('SELECT ledger.fingerprint()');
my $chain = $wires->sql(1, 'SELECT chain FROM ledger.status');
my $height = $wires->sql(1, 'SELECT height FROM ledger.status');

# Who can propose, what, and who can sign.
like($wires->error_of(1, "SELECT ledger.propose_restart(ARRAY['member1', 'nobody'], ARRAY['$print', '$print'], 'why')"), qr/nobody is no member of this ledger/, 'others than members do not go on');
like($wires->error_of(1, "SELECT ledger.propose_restart(ARRAY['member2'], ARRAY['$print'], 'why')"), qr/this member is not among those who go on/, 'nor does the ledger without the one who proposes');
like($wires->error_of(1, "SELECT ledger.propose_restart(ARRAY['member1'], ARRAY['$print'], ' ')"), qr/and a reason/, 'there is a reason');
my $paper = $wires->sql(1, "SELECT ledger.propose_restart(ARRAY['member1'], ARRAY['$print'], 'member2 burnt down')");
is($wires->sql(1, "SELECT chain, height, reason, members, signers, signatures_needed FROM ledger.restart_contents('$paper')"),
	"$chain|$height|member2 burnt down|{member1}|{}|1", 'what the document says');
like($wires->error_of(1, "SELECT ledger.end_ledger('$paper')"), qr/the restart has 0 of 1 signatures/, 'unsigned it ends nothing');
like(error_in('second', "SELECT ledger.begin_ledger('$paper', 'member1', ARRAY['member1'], ARRAY['host=a dbname=b'])"), qr/the restart has 0 of 1 signatures/, 'and begins nothing');
my $digest = $wires->sql(1, "SELECT digest FROM ledger.restart_contents('$paper')");
my $signature = $wires->sql(1, "SELECT ledger.schnorr_sign('$digest', '$secret')");

like($wires->error_of(1, "SELECT ledger.add_restart_signature('$paper', 'member1', ledger.schnorr_sign('$digest', '\\x" . '11' x 32 . "'))"), qr/this is not the signature of "member1"/, 'another key does not sign for it');
like($wires->error_of(1, "SELECT ledger.add_restart_signature('$paper', 'member2', '$signature')"), qr/member "member2" cannot sign this restart.*has no recovery key/s, 'nor does who has no recovery key');
my $signed = $wires->sql(1, "SELECT ledger.add_restart_signature('$paper', 'member1', '$signature')");
is($wires->sql(1, "SELECT signers, digest = '$digest' FROM ledger.restart_contents('$signed')"), '{member1}|t', 'signed, by the same digest');

# The signature is of this document only.
my $other = $wires->sql(1, "SELECT ledger.propose_restart(ARRAY['member1'], ARRAY['$print'], 'another reason')");
my $moved = $wires->sql(1, "SELECT ledger_internal.restart_text(ledger_internal.add_restart_signature(d.document, 1, '$signature'), d.members, d.quorum_of_three) FROM ledger_internal.restart_from_text('$other') AS d");

like($wires->error_of(1, "SELECT ledger.end_ledger('$moved')"), qr/signature/, 'it ends nothing with the text of another');
my $stranger = $wires->sql(1, "SELECT ledger_internal.restart_text(d.document, ARRAY[ledger_internal.make_leaf(1, 'member1', 'validator', '{}', '$recovery', '" . $wires->public_key('\\x' . '11' x 32) . "')], d.quorum_of_three) FROM ledger_internal.restart_from_text('$signed') AS d");

like($wires->error_of(1, "SELECT ledger.end_ledger('$stranger')"), qr/last block is not of the members who sign it/, 'nor in the name of a set that the last block does not have');

# Nor does a last block that nobody has made, by members who are none: their keys are
# those of whoever wrote the document, so that its signatures are good.
my $thief = '\\x' . '11' x 32;
my $their_leaves = "ARRAY[ledger_internal.make_leaf(1, 'member1', 'validator', '{}', ledger_internal.key_of('$print'), '" . $wires->public_key($thief) . "')]";
my $made_up = $wires->sql(1, "SELECT ledger_internal.make_restart(n.chain_id,"
	. " overlay(overlay(b.header PLACING int8send(b.height + 1000) FROM 35) PLACING substring(p.genesis_header FROM 215 FOR 32) FROM 215),"
	. " n.genesis_body, $their_leaves, 1, clock_timestamp(), 'for me')"
	. " FROM ledger_internal.node AS n, (SELECT * FROM ledger_internal.block ORDER BY height DESC LIMIT 1) AS b,"
	. " LATERAL ledger_internal.restart_parts(ledger_internal.make_restart(n.chain_id, b.header, n.genesis_body, $their_leaves, 1, clock_timestamp(), 'for me')) AS p");
my $their_name = $wires->sql(1, "SELECT ledger_internal.restart_text('$made_up', $their_leaves, 3)");
my $their_digest = $wires->sql(1, "SELECT digest FROM ledger.restart_contents('$their_name')");
my $their_signature = $wires->sql(1, "SELECT ledger.schnorr_sign('$their_digest', '$thief')");
my $theirs = $wires->sql(1, "SELECT ledger_internal.restart_text(ledger_internal.add_restart_signature('$made_up', 1, '$their_signature'), $their_leaves, 3)");

is($wires->sql(1, "SELECT signers, signatures_needed, height - $height FROM ledger.restart_contents('$theirs')"), '{member1}|1|1000', 'somebody makes up a last block and signs it alone');
is($wires->sql(1, "SELECT ledger_internal.judge_restart(d.document, d.members, d.quorum_of_three) FROM ledger_internal.restart_from_text('$theirs') AS d"), '', 'which fits together');
like($wires->error_of(1, "SELECT ledger.end_ledger('$theirs')"), qr/this node has to catch up first.*other members than block $height makes them here.*HINT/s, 'it does not end the ledger');
like($wires->error_of(1, "SELECT ledger.add_restart_signature('$their_name', 'member1', '$their_signature')"), qr/this node has to catch up first/, 'nor is a signature put to it');
like($wires->error_of(1, "SELECT ledger.add_restart_signature('$stranger', 'member1', '$signature')"), qr/last block is not of the members who sign it.*HINT/s, 'nor one to a document that names other members of the last block');
(my $lesser = $signed) =~ s/("quorum_of_three": )3/${1}2/ or die $signed;
like($wires->error_of(1, "SELECT ledger.end_ledger('$lesser')"), qr/counts another quorum than this ledger.*wants 2; this ledger wants 3/s, 'how many sign is what the ledger says');

# What is no document says so, in whatever part it is none; and it is not for everybody.
sub altered { my ($from, $to) = @_; (my $text = $signed) =~ s/$from/$to/ or die $signed; return $text }

foreach my $case (['no JSON', 'hello'], ['another kind', '{}'], ['a character that no text has', '{"telco_ledger": "\\u0000"}'],
	['no members', altered(qr/"members": \[[^]]*\]/, '"members": []')], ['a null among the members', altered(qr/"members": \[/, '"members": [null, ')],
	['one that is not hexadecimal', altered(qr/"members": \["/, '"members": ["zz')], ['one that is no leaf', altered(qr/"members": \[/, '"members": ["00", ')],
	['members that are no list', altered(qr/"members": \[[^]]*\]/, '"members": 1')], ['more than 64', altered(qr/"members": \[/, '"members": [' . '"00", ' x 64)],
	['half of it', altered(qr/(?<="document": ")[0-9a-f]*/, '00' x 200)])
{
	my ($name, $text) = @$case;

	like($wires->error_of(1, "SELECT * FROM ledger.restart_contents('$text')"), qr/ERROR:  this is no document of a restart.*DETAIL.*HINT/s, "no document: $name");
}
like($wires->error_of(1, "SELECT * FROM ledger.restart_contents('$signed' || repeat(' ', 1048576))"), qr/ERROR:  this is no document of a restart.*too long/s, 'nor is it too long');
like($wires->error_of(1, "CREATE ROLE stranger; SET ROLE stranger; SELECT * FROM ledger.restart_contents('{}')"), qr/permission denied/, 'nor does it tell everybody');

# The old ledger ends.
$wires->sql(1, "SELECT ledger.end_ledger('$signed')");
is($wires->sql(1, 'SELECT state FROM ledger.status'), 'ended', 'the old ledger has ended');
like($wires->error_of(1, "SELECT ledger.end_ledger('$signed')"), qr/ERROR:  this ledger has ended already.*HINT:.*ledger\.restart/s, 'once');
like($wires->error_of(1, 'INSERT INTO cdr VALUES (4)'), qr/this ledger has ended, and goes on as another one.*HINT:.*ledger\.restart/s, 'it takes no rows any more');
ok($wires->poll(1, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type LIKE 'telco_ledger w%'"), 'and its processes leave');
is($wires->sql(1, q{SELECT count(*) FROM ledger.verify(mode => 'full')}), '0', 'it is verified');
is(verdict($server, 'second', $_, ''), 't|', 'receipts of it are valid under its chain id') foreach ($old, receipt($server, 'postgres', $refs[0]));

# The new one begins.
my $address = sprintf 'host=%s port=%d dbname=second_wire', $server->host, $server->port;

like(error_in('second', "SELECT ledger.begin_ledger('$signed', 'member1', ARRAY['member1', 'member2'], ARRAY['$address', '$address'])"), qr/each member of the new ledger needs an address/, 'addresses are those of its members');
my $new = in_new("SELECT ledger.begin_ledger('$signed', 'member1', ARRAY['member1'], ARRAY['$address'])");
is(in_new("SELECT this_ledger, old_chain, old_height, new_chain, reason, signers FROM ledger.restart"), "begins|$chain|$height|$new|member2 burnt down|{member1}", 'it knows where it comes from');
isnt($new, $chain, 'under a chain id of its own');
in_new('CREATE TABLE cdr (id bigint) USING ledger');
my $ref = in_new('INSERT INTO cdr VALUES (3) RETURNING ledger_ref');

like(in_new("SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, 'a row of it is final');
my $receipt = receipt($server, 'second', $ref);

is(verdict($server, 'postgres', $receipt, ''), 't|', 'and has a valid receipt');
is(in_new("SELECT \$\$$receipt\$\$::jsonb #>> '{proof,genesis,restart,chain}'"), $chain, 'which names the ledger before');
like(verdict($server, 'postgres', $receipt, "#- '{proof,genesis,restart}'"), qr/^f\|/, 'not without that');
like(verdict($server, 'postgres', $receipt, "|| jsonb_build_object('proof', jsonb_set(\$\$$receipt\$\$::jsonb -> 'proof', '{genesis,restart,reason}', '\"for fun\"'))"), qr/^f\|the genesis block is not the one that this restart demands/, 'nor with another reason');
is(in_new("SELECT bool_and(valid) FROM ledger.verify_receipts(ledger.receipts('cdr', ARRAY['$ref'::ledger.ref]))"), 't', 'the same in one document of many');
is(in_new(q{SELECT count(*) FROM ledger.verify(mode => 'full')}), '0', 'it is verified');
$server->restart;
like(in_new("SELECT ledger.wait_final(ledger_ref, '170 s') FROM cdr"), qr/^\d+$/, 'and is there after a start');

# Somebody new joins it.
my $joins = $wires->add_newcomer;
my $guest = $wires->node($joins);
my $invitation = in_new("SELECT ledger.invite('member3', '" . $wires->fingerprint($joins) . "')");
my (undef, undef, $error) = $guest->psql('postgres', "SELECT ledger.join((\$\$$invitation\$\$::jsonb - 'restart')::text, 'member3', '" . $wires->address($joins) . "')");

like($error, qr/the first block of the ledger does not fit its contents/, 'without the restart the invitation proves nothing');
$guest->safe_psql('postgres', "SELECT ledger.join(\$\$$invitation\$\$, 'member3', '" . $wires->address($joins) . "')");
in_new("SELECT ledger.admit('member3', '" . $wires->fingerprint($joins) . "', '" . $wires->address($joins) . "')");
$guest->safe_psql('postgres', 'CREATE TABLE cdr (id bigint) USING ledger');
my $last = $guest->safe_psql('postgres', 'INSERT INTO cdr VALUES (5) RETURNING ledger_ref');

like($guest->safe_psql('postgres', "SELECT ledger.wait_final('$last', '170 s')"), qr/^\d+$/, 'a row of the new member is final');
is(verdict($server, 'postgres', receipt($guest, 'postgres', $last), ''), 't|', 'its receipt is valid');
is($guest->safe_psql('postgres', q{SELECT count(*) FROM ledger.verify(mode => 'full')}), '0', 'and its ledger verified');

# Two of four are left, and a third has only its recovery key: a quorum signs.  The
# ledger that they end is made up here; its last block is a first one.
my @place = ([ $server, 'third' ], [ $guest, 'fourth' ]);
my @prints;

foreach (@place)
{
	my ($node, $database) = @$_;

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'");
	$node->create_extension($database);
	push @prints, $node->safe_psql($database, 'SELECT ledger.fingerprint()');
}

sub secret_of { return '\\x' . sprintf '%064x', 4000 + $_[0] }

sub leaf
{
	my ($number, $print) = @_;
	my $key = defined $print ? "ledger_internal.key_of('$print')" : "'" . $wires->public_key('\\x' . sprintf '%064x', 5000 + $number) . "'";

	return "ledger_internal.make_leaf($number, 'M$number', 'validator', '{}', $key, '" . $wires->public_key(secret_of($number)) . "')";
}

sub sign
{
	my ($document, $number, $secret) = @_;

	return $wires->sql(1, "SELECT ledger_internal.add_restart_signature('$document', $number, ledger.schnorr_sign(p.digest, '$secret')) FROM ledger_internal.restart_parts('$document') AS p");
}

my $four = 'ARRAY[' . join(',', map { leaf($_) } 1 .. 4) . ']';
my $two = 'ARRAY[' . leaf(1, $prints[0]) . ',' . leaf(3, $prints[1]) . ']';
my $first = "(SELECT ledger_internal.make_restart(chain_id, genesis_header, genesis_body, $four, 1, clock_timestamp(), 'made up') FROM ledger_internal.node)";
my $document = $wires->sql(1, "SELECT ledger_internal.make_restart(p.new_chain, p.genesis_header, p.genesis_body, $two, 1, clock_timestamp(), 'two burnt down') FROM ledger_internal.restart_parts($first) AS p");
my $where = "ARRAY['M1', 'M3'], ARRAY[" . join(',', map { sprintf q{'host=%s port=%d dbname=%s_wire'}, $_->[0]->host, $_->[0]->port, $_->[1] } @place) . ']';

sub as_text { return $wires->sql(1, "SELECT ledger_internal.restart_text('$_[0]', $four, 3)") }
$document = sign($document, $_, secret_of($_)) foreach (3, 1);
is($wires->sql(1, "SELECT members, signers, signatures_needed FROM ledger.restart_contents('" . as_text($document) . "')"), '{M1,M3}|{M1,M3}|3', 'three of four have to sign');
like(error_in('third', "SELECT ledger.begin_ledger('" . as_text($document) . "', 'M1', $where)"), qr/the restart has 2 of 3 signatures/, 'two are not enough');
like(error_in('third', "SELECT ledger.begin_ledger('" . as_text(sign($document, 4, secret_of(2))) . "', 'M1', $where)"), qr/signature/, 'nor is the third by the wrong key');
$document = as_text(sign($document, 4, secret_of(4)));
like(error_in('third', "SELECT ledger.begin_ledger('$document', 'M3', $where)"), qr/the restart is for another key/, 'each begins as itself');
my @chains = map { $place[$_][0]->safe_psql($place[$_][1], "SELECT ledger.begin_ledger('$document', 'M" . (1 + 2 * $_) . "', $where)") } (0, 1);
is($chains[1], $chains[0], 'both begin the same ledger');
foreach (@place)
{
	my ($node, $database) = @$_;

	$node->safe_psql($database, 'CREATE TABLE cdr (id bigint) USING ledger');
	my $row = $node->safe_psql($database, 'INSERT INTO cdr VALUES (1) RETURNING ledger_ref');

	like($node->safe_psql($database, "SELECT ledger.wait_final('$row', '170 s')"), qr/^\d+$/, "a row of $database is final");
}
done_testing();
