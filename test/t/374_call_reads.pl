# What calls and row handlers read of ledger tables, and are told of who has signed
# them: the same at all four members, though one of them has rows that are not final, or
# that all have refused, and the others not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerDiffer;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, servers => differing_servers());
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $number = 0;

# A plan of each kind: member 4 cannot afford to read a table from its beginning.
differ($wires);
deploy($wires, 1, 'usage', slurp_file("$FindBin::RealBin/../contracts/usage.sql"));
approve($wires, 'usage', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'usage'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);

# A call at one member, done everywhere; what all have found, or each answer.
sub look
{
	my ($member, $call) = @_;
	my $ref = $wires->sql($member, $call // 'SELECT usage.look(' . ++$number . ')');

	return found($ref, $number);
}

sub found
{
	my ($ref, $number) = @_;
	my %answers;

	foreach my $member (@members)
	{
		$wires->poll($member, "SELECT state <> 'waiting' FROM ledger.outcome('$ref')");
		push @{ $answers{ $wires->sql($member, "SELECT state, CASE state WHEN 'failed' THEN sqlstate ELSE message END, rows, seconds, longest, long_ones, served FROM ledger.outcome('$ref') LEFT JOIN usage.found ON number = $number") } }, $member;
	}
	return keys(%answers) == 1 ? (keys %answers)[0] : join("\n", map { "at @{ $answers{$_} }: $_" } sort keys %answers);
}

is(look(3), 'done||0|||0|0', 'nothing is there yet');
my $first = $wires->sql(1, q{INSERT INTO usage.usage VALUES ('anna', 10) RETURNING ledger_ref});

$wires->sql(2, q{INSERT INTO usage.usage VALUES ('anna', 20), ('ben', 90)});
foreach my $member (@members)
{
	$wires->poll($member, 'SELECT count(*) FROM usage.usage', 3);
}
is(look(4), 'done||3|120|90|1|2', 'what is final is found');
is(look(3, "BEGIN; INSERT INTO usage.usage VALUES ('anna', 5); SELECT usage.look(" . ++$number . '); COMMIT'), 'done||4|125|90|1|3', 'also what came with the call');
$number++;
is(look(1, "SELECT usage.look_at_row($number, '$first')"), 'done|||10|||', 'a row by its ref');
$number++;
is(look(2, "SELECT usage.look_at_row($number, '1.0.1.1')"), 'refused|there is no such row|||||', 'not one that is nowhere');

# A row that all have refused stays in the table where it was written, on a page
# of which the visibility map says that everything is visible.
my $refused = $wires->sql(1, q{SET allow_system_table_mods = on; BEGIN; UPDATE pg_class SET relchecks = 0 WHERE oid = 'usage.usage'::regclass;
	INSERT INTO usage.usage VALUES ('anna', 1000000) RETURNING ledger_ref; UPDATE pg_class SET relchecks = 1 WHERE oid = 'usage.usage'::regclass; COMMIT});

ok($wires->poll(1, "SELECT ledger.finality('$refused')", 'rejected'), 'a row that breaks a rule is refused by all');
is($wires->sql(1, 'SELECT sum(seconds) FROM usage.usage'), '1000125', 'and stays where it was written');
$wires->sql(1, 'VACUUM ANALYZE usage.usage');
is($wires->sql(1, q{SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT count(*) FROM usage.usage WHERE seconds >= 60}) =~ /Index Only Scan/ ? 1 : 0, 1, 'a query of a session would read the index alone');
is(look(2), 'done||4|125|90|1|3', 'no call sees it');
$number++;
is(look(1, "SELECT usage.look_at_row($number, '$refused')"), 'refused|there is no such row|||||', 'by its ref neither');

# The same, where plans go by indexes.
foreach my $setting ('seq_page_cost = 1e6', 'cpu_tuple_cost = 1000', 'random_page_cost = 0')
{
	$wires->sql(1, "ALTER SYSTEM SET $setting");
}
$wires->sql(1, 'SELECT pg_reload_conf()');
is(look(2), 'done||4|125|90|1|3', 'nor by an index');

# What handles rows has run for each that was accepted, once, and for no other.
is(everywhere('SELECT member, served, rows, seconds FROM usage.total ORDER BY 1, 2'), "1|anna|1|10\n2|anna|1|20\n2|ben|1|90\n3|anna|1|5", 'rows are handled as they become final');
is($wires->sql(1, "SELECT count(*) FROM usage.total AS t WHERE at_last = (SELECT max(ledger.height(ledger_ref)) FROM usage.usage AS u WHERE ledger.member(ledger_ref) = t.member AND u.served = t.served AND u.seconds < 86400)"), '4', 'in their block');
{
	my $row = $wires->sql(4, q{INSERT INTO usage.usage VALUES ('anna', 13) RETURNING ledger_ref});

	$number++;
	is(found($row, $number), 'refused|thirteen is not counted|||||', 'what a handler does not take is its outcome, under the ref of the row');
	is(everywhere(q{SELECT ledger.finality(ledger_ref), seconds FROM usage.usage WHERE seconds = 13}), 'final|13', 'the row is final all the same');
	my $large = (split /\n/, $wires->sql(4, q{INSERT INTO usage.usage VALUES ('carl', 86400), ('carl', 13600) RETURNING ledger_ref}))[-1];

	like(found($large, $number), qr/^failed\|23514\|/, 'an error in a handler is one too');
	is(everywhere(q{SELECT rows, seconds FROM usage.total WHERE served = 'carl'}), '1|86400', 'of which nothing is left');
	is($wires->sql(1, "SELECT state FROM ledger.outcome('$first')"), 'done', 'a row that was handled is done');
	refused($wires, 1, "SELECT ledger.outcome('$refused')", qr/is no call/, 'one that was refused has no outcome');
	refused($wires, 1, q{SELECT usage.on_usage(ROW(1, '{}', NULL, NULL, now(), 1)::ledger.context, 'eve', 1)}, qr/cannot change state table "total"/, 'nobody else calls the handler');
}

# A row that stands behind a call in its transaction.
$wires->sql(4, 'BEGIN; SELECT usage.look(' . ++$number . q{); INSERT INTO usage.usage VALUES ('dora', 60); COMMIT});
$wires->poll($_, "SELECT count(*) FROM usage.found WHERE number = $number", 1) foreach (@members);
is(everywhere(q{SELECT member, rows, seconds FROM usage.total WHERE served = 'dora'}), '4|1|60', 'a row that comes behind a call in its block is handled');

# A call waits at member 1, whose own rows are committed meanwhile.
{
	my $session = $wires->node(1)->background_psql('postgres', on_error_stop => 1);
	my $blocked = q{SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'usage.found'::regclass)};

	$session->query_safe('BEGIN; LOCK TABLE usage.found');
	my $call = $wires->sql(2, 'SELECT usage.look(' . ++$number . ')');

	is($wires->sql(2, "SELECT state FROM ledger.outcome('$call', '$wait')"), 'done', 'a call is done elsewhere');
	ok($wires->poll(1, $blocked), 'and waits at member 1');
	$wires->sql(1, q{INSERT INTO usage.usage SELECT 'anna', 100 + n FROM generate_series(1, 200) AS n});
	$wires->sql(1, q{INSERT INTO usage.usage SELECT 'ben', 1000 FROM generate_series(1, 100)});
	$session->query_safe('ROLLBACK');
	$session->quit;
	is(found($call, $number), 'done||8|100198|86400|4|4', 'the call finds at member 1 what it has found elsewhere');
	$wires->poll($_, q{SELECT count(*) FROM usage.usage WHERE seconds < 86400}, 307) foreach (@members);
	is(look(4), 'done||308|240298|86400|304|204', 'the next one finds them all');
}

# Calls that somebody signs who has no database: their signature is judged by all
# members, and the contract is told whose it is.
my $key = q{'\x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'::bytea};
my $secret = q{decode(lpad('1', 64, '0'), 'hex')};
my $other = q{'\xc6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5'::bytea};
my $other_secret = q{decode(lpad('2', 64, '0'), 'hex')};

deploy($wires, 1, 'signed', slurp_file("$FindBin::RealBin/../contracts/signed.sql"));
approve($wires, 'signed', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'signed'}, 'deployed'), "the contract of signed calls is deployed at member $_") foreach (@members);

sub outcome
{
	my ($member, $ref) = @_;

	return $wires->sql($member, "SELECT state, message FROM ledger.outcome('$ref', '$wait')");
}

# What the meter signs, anywhere: the message is the same at all members.
sub signature
{
	my ($member, $values, $by, $with) = @_;

	return $wires->sql($member, "SELECT quote_literal(ledger.schnorr_sign(sha256(ledger.message_to_sign('signed.tell_call', ROW($values, $by, NULL, NULL)::signed.tell_call)), $with)) || '::bytea'");
}

sub bring
{
	my ($member, $values, $by, $signature) = @_;

	return $wires->sql($member, "SELECT signed.tell($values, $by, $signature)");
}

is(outcome(1, $wires->sql(1, "SELECT signed.enrol('M-1', $key)")), 'done|', 'a meter is known by its key');
is(outcome(1, $wires->sql(1, "SELECT signed.enrol('M-2', $other)")), 'done|', 'and another one');

my $signature = signature(1, q{'M-1', 1, 40}, $key, $secret);

is(signature(4, q{'M-1', 1, 40}, $key, $secret), $signature, 'its message is the same at all members');
is(outcome(1, bring(2, q{'M-1', 1, 40}, $key, $signature)), 'done|', 'a call that it has signed is done, whoever brings it');
is(everywhere('SELECT * FROM signed.seen'), 'M-1|1|40|2', 'at all members');
is(outcome(1, bring(1, q{'M-1', 1, 40}, $key, $signature)), 'refused|told before', 'brought again it is refused, since it has a number');

# Whose signature it is, the contract decides; whether it is one, all members do.
is(outcome(2, bring(1, q{'M-1', 2, 5}, $other, signature(1, q{'M-1', 2, 5}, $other, $other_secret))), q{refused|not the meter's key}, 'the contract is told by which key');
refused($wires, 1, "SELECT signed.tell('M-1', 2, 41, $key, $signature)", qr/ERROR:.*is not signed as trigger "signed" demands\n.*not one of these values/, 'a changed call has no signature');
refused($wires, 1, "SELECT signed.tell('M-1', 2, 41, $key, NULL)", qr/ERROR:.*is not signed.*\n.*signature is null/, 'nor one without');
refused($wires, 1, "INSERT INTO signed.alarm VALUES ('x', $key, $signature)", qr/ERROR:.*is not signed.*\n.*not one of these values/, 'nor a row with that of another table');
{
	my $forged = $wires->sql(2, "SET session_replication_role = replica; INSERT INTO signed.tell_call VALUES ('M-1', 2, 1000, $key, $signature) RETURNING ledger_ref");

	ok($wires->poll(2, "SELECT count(*) FROM ledger.rejected WHERE ref = '$forged'", 1), 'past the trigger it does not leave its member');
	is($wires->sql(1, "SELECT count(*) FROM signed.tell_call WHERE units = 1000"), 0, 'no other one ever sees it');
}

# A row that is handled.
my $alarm = $wires->sql(1, "SELECT ledger.schnorr_sign(sha256(ledger.message_to_sign('signed.alarm', ROW('open', $key, NULL, NULL)::signed.alarm)), $secret)");
my $ref = $wires->sql(1, "INSERT INTO signed.alarm VALUES ('open', $key, '$alarm') RETURNING ledger_ref");

is(outcome(2, $ref), 'done|', 'a signed row is handled');
is(everywhere("SELECT ref = '$ref', signer = $key FROM signed.raised"), 't|t', 'with its key');

like(everywhere(q{SELECT table_id, encode(digest, 'hex') FROM ledger.state ORDER BY table_id}), qr/^[0-9a-f-]{36}\|[0-9a-f]+\n/, 'all have the same state');
my $height = $wires->sql(1, 'SELECT height FROM ledger_internal.applied');

foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT max(height) >= $height FROM ledger_internal.checkpoint"), "member $member has a stable checkpoint of that");
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
}

# What a query gives at each, when all have applied as much as the first.
sub everywhere { return same_everywhere($wires, $_[0], @members) }

done_testing();
