# The contract payment on four members: what it refuses, and a random history of
# calls whose outcomes and balances are those of a model that is written another
# way: it adds up all entries whenever it needs a balance.  Beside it the contract
# that README.md tells how to write, as it stands there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerContract;
use LedgerDiffer;
use LedgerPayment;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1, servers => differing_servers());
my @members = (1 .. 4);
my $wait = $PostgreSQL::Test::Utils::timeout_default . ' s';
my $seed = $ENV{SEED} // 20;
our $contract = 'payment';

differ($wires);
deploy($wires, 1, 'payment', slurp_file("$FindBin::RealBin/../../sql/contracts/payment.sql"));
approve($wires, 'payment', 2, 3);
ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'payment'}, 'deployed'), "the contract is deployed at member $_") foreach (@members);
$wires->sql($_, q{SELECT ledger.set_roles('member1', '{issuer}')}) foreach (1 .. 3);
ok($wires->poll(1, q{SELECT roles FROM ledger.member WHERE member = 1}, '{issuer}'), 'member 1 has the role of an issuer');

# Calls of one member, each a transaction; their outcomes, in order.
sub outcomes
{
	my ($member, @calls) = @_;
	my $made = join "\n", map { "SELECT $contract.$calls[$_] AS ref \\gset r${_}_" } 0 .. $#calls;
	my $refs = join ',', map { ":'r${_}_ref'" } 0 .. $#calls;

	return split /\n/, $wires->sql($member, "$made\nSELECT o.state || coalesce(': ' || o.message, '')
		FROM unnest(ARRAY[$refs]::ledger.ref[]) WITH ORDINALITY AS c (ref, number), ledger.outcome(c.ref, '$wait') AS o ORDER BY c.number");
}

# Members, calls, expected outcomes; a member's calls after another's follow when
# those are done.
sub calls
{
	my (@cases) = @_;

	while (@cases)
	{
		my ($member, @calls, @expected) = $cases[0];

		while (@cases && $cases[0] == $member)
		{
			push @calls, $cases[1];
			push @expected, $cases[2];
			splice @cases, 0, 3;
		}
		my @outcomes = outcomes($member, @calls);

		is($outcomes[$_], $expected[$_], "member $member: $calls[$_]") foreach (0 .. $#calls);
	}
	return;
}

sub balances { return same_everywhere($wires, 'SELECT member, purpose, balance, reserved, expected, available FROM payment.balance ORDER BY member, purpose COLLATE "C"', @members) }

# Assets and accounts.
calls(
	2, q{define_asset('EUR')}, 'refused: who issues an asset has the role issuer',
	1, q{define_asset('EUR', issue_limit => 0)}, 'refused: an issue limit is between 1 and 1000000000000000000',
	1, q{define_asset('EUR', issue_limit => 1000000)}, 'done',
	1, q{define_asset('EUR')}, 'refused: the asset is defined already',
	2, q{open_account('GBP', 'a')}, 'refused: there is no such asset',
	2, q{open_account('EUR', 'issue')}, 'refused: the purpose issue is for what an issuer has issued',
	2, q{open_account('EUR', 'a')}, 'done',
	2, q{open_account('EUR', 'a')}, 'done',
	3, q{open_account('EUR', 'a')}, 'done',
	4, q{open_account('EUR', 'a')}, 'done');

# Issue and transfer.
calls(
	2, q{issue('i', 'EUR', 1000, 2, 'a')}, 'refused: only its issuer issues an asset',
	1, q{issue('i', 'EUR', 1000001, 2, 'a')}, 'refused: not enough is available',
	1, q{issue('i', 'EUR', 1000, 2, 'a')}, 'done',
	2, q{transfer('t', 'EUR', 300, 'a', 3, 'a', 'invoice 7')}, 'done',
	2, q{transfer('t', 'EUR', 300, 'a', 3, 'a', 'invoice 7')}, 'done',
	2, q{transfer('t', 'EUR', 301, 'a', 3, 'a', 'invoice 7')}, 'refused: the id was used for another transfer',
	2, q{transfer('t', 'EUR', 300, 'a', 3, 'a')}, 'refused: the id was used for another transfer',
	2, q{transfer('u', 'EUR', 701, 'a', 3, 'a')}, 'refused: not enough is available',
	2, q{transfer('u', 'EUR', 0, 'a', 3, 'a')}, 'refused: an amount is above zero',
	2, q{transfer('u', 'EUR', -5, 'a', 3, 'a')}, 'refused: an amount is above zero',
	2, q{transfer('u', 'EUR', NULL, 'a', 3, 'a')}, 'refused: an amount is above zero',
	2, q{transfer('u', 'EUR', 5, 'b', 3, 'a')}, 'refused: there is no such account to pay from',
	2, q{transfer('u', 'EUR', 5, 'a', 3, 'b')}, 'refused: there is no such account to pay to',
	2, q{transfer('u', 'GBP', 5, 'a', 3, 'a')}, 'refused: there is no such account to pay from',
	2, q{transfer('u', 'EUR', 5, 'a', 2, 'a')}, 'refused: source and target are the same account',
	2, q{transfer('u', 'EUR', 5, 'a', 1, 'issue')}, 'refused: accounts for the purpose issue are for issue and redeem',
	1, q{transfer('u', 'EUR', 5, 'issue', 2, 'a')}, 'refused: accounts for the purpose issue are for issue and redeem',
	3, q{redeem('r', 'EUR', 100, 'a')}, 'done',
	1, q{redeem('r', 'EUR', 100, 'issue')}, 'refused: what is issued is not redeemed by its issuer alone');
is(balances(), "1|issue|-900|0|0|999100\n2|a|700|0|0|700\n3|a|200|0|0|200\n4|a|0|0|0|0", 'a transfer whose call came twice has moved once');

# An id that differs by a blank which its column has no room for.
my $id = 'x' x 40;
calls(
	2, "transfer('$id', 'EUR', 1, 'a', 3, 'a')", 'done',
	2, "transfer('$id', 'EUR', 1, 'a', 3, 'a')", 'done',
	2, "transfer('$id ', 'EUR', 1, 'a', 3, 'a')", 'refused: an id has 1 to 40 characters',
	2, "reserve('$id ', 'EUR', 1, 'a', 3, 'a', now() + interval '1 hour')", 'refused: an id has 1 to 40 characters',
	1, "issue('$id ', 'EUR', 1, 2, 'a')", 'refused: an id has 1 to 40 characters',
	2, "send_invoice('$id ', 3, 'EUR', 1, now())", 'refused: an id has 1 to 40 characters',
	2, "open_netting('$id ', 'EUR', now(), '{2,3}')", 'refused: an id has 1 to 40 characters',
	2, "open_netting('', 'EUR', now(), '{2,3}')", 'refused: an id has 1 to 40 characters',
	3, "transfer('$id', 'EUR', 1, 'a', 2, 'a')", 'done');
is(balances(), "1|issue|-900|0|0|999100\n2|a|700|0|0|700\n3|a|200|0|0|200\n4|a|0|0|0|0", 'it has moved nothing, and each member has ids of its own');

# Limits, and turnover that bigint does not hold.
calls(
	3, q{limit_credit(3, 'EUR', 'a', 50)}, 'refused: only the issuer of the asset gives credit in it',
	1, q{limit_credit(3, 'EUR', 'x', 50)}, 'refused: there is no such account',
	1, q{limit_credit(3, 'EUR', 'a', -1)}, 'refused: a limit is between 0 and 1000000000000000000',
	1, q{limit_credit(3, 'EUR', 'a', 50)}, 'done',
	3, q{transfer('o', 'EUR', 251, 'a', 4, 'a')}, 'refused: not enough is available',
	3, q{transfer('o', 'EUR', 250, 'a', 4, 'a')}, 'done',
	1, q{limit_credit(3, 'EUR', 'a', 49)}, 'refused: more credit than that is used',
	4, q{limit_balance('EUR', 'a', 249)}, 'refused: more than that is in the account, or expected',
	4, q{limit_balance('EUR', 'a', 260)}, 'done',
	2, q{transfer('l', 'EUR', 11, 'a', 4, 'a')}, 'refused: the balance limit of the target would be exceeded',
	2, q{transfer('l', 'EUR', 9223372036854775807, 'a', 4, 'a')}, 'refused: not enough is available',
	1, q{define_asset('MIN', 10::smallint)}, 'refused: an asset has 0 to 9 decimals',
	1, q{define_asset('MIN', NULL::smallint)}, 'refused: an asset has 0 to 9 decimals',
	1, q{define_asset('MIN', 9::smallint, 1000000000000000000)}, 'done',
	1, q{open_account('MIN', 'a')}, 'done');
calls(map({ (1, "issue('m$_', 'MIN', 1000000000000000000, 1, 'a')", 'done', 1, "redeem('r$_', 'MIN', 1000000000000000000, 'a')", 'done') } 1 .. 10),
	1, q{draw_statement('MIN', 'a')}, 'done',
	1, q{issue('m', 'MIN', 1000000000000000000, 1, 'a')}, 'done',
	1, q{issue('n', 'MIN', 1, 1, 'a')}, 'refused: not enough is available');
is(same_everywhere($wires, q{SELECT purpose, debits, credits, balance FROM payment.account WHERE asset = 'MIN' ORDER BY purpose COLLATE "C"}, @members),
	"a|10000000000000000000|11000000000000000000|1000000000000000000\nissue|11000000000000000000|10000000000000000000|-1000000000000000000", 'an account goes on, however much it has paid and received');
is(same_everywhere($wires, q{SELECT opening, debits, credits, closing FROM payment.statement WHERE asset = 'MIN'}, @members), '0|10000000000000000000|10000000000000000000|0', 'and its statement says so');

# Beside the accounts a and issue 998 more.
{
	my @refs = split /\n/, $wires->sql(1, q{SELECT payment.open_account('MIN', 'n' || n) FROM generate_series(1, 999) AS n});

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$refs[-2]', '$wait')"), 'done', 'a member may have a thousand accounts in an asset');
	is($wires->sql(1, "SELECT state, message FROM ledger.outcome('$refs[-1]', '$wait')"), 'refused|a member has at most 1000 accounts in an asset', 'and no more');
	is(same_everywhere($wires, q{SELECT count(*) FROM payment.account WHERE asset = 'MIN'}, @members), '1000', 'everywhere');
}
calls(
	1, q{open_account('MIN', 'n1')}, 'done',
	2, q{open_account('MIN', 'a')}, 'done');

# Two phases.
calls(
	4, q{limit_balance('EUR', 'a', 1000)}, 'done',
	2, q{reserve('p', 'EUR', 200, 'a', 4, 'a', now() + interval '1 hour')}, 'done',
	2, q{reserve('q', 'EUR', 501, 'a', 4, 'a', now() + interval '1 hour')}, 'refused: not enough is available',
	2, q{reserve('q', 'EUR', 100, 'a', 4, 'a', '2020-01-01 00:00+00')}, 'refused: a reservation expires after it was made',
	2, q{transfer('v', 'EUR', 501, 'a', 3, 'a')}, 'refused: not enough is available',
	3, q{post(2, 'p')}, 'refused: only who pays or is paid posts a transfer',
	4, q{post(2, 'p', 201)}, 'refused: less than that is reserved',
	2, q{post(2, 'p', 199)}, 'refused: only who is paid posts less than is reserved',
	4, q{post(2, 'p', 0)}, 'refused: an amount is above zero',
	3, q{void(2, 'p')}, 'refused: only who is to be paid voids a transfer, or who pays when its time is over',
	2, q{void(2, 't')}, 'refused: only who is to be paid voids a transfer, or who pays when its time is over',
	2, q{void(2, 'p')}, 'refused: only who is to be paid voids a transfer, or who pays when its time is over');
calls(
	4, q{post(2, 'p', 150)}, 'done',
	4, q{post(2, 'p', 50)}, 'refused: the transfer is not pending',
	4, q{void(2, 'p')}, 'refused: the transfer is not pending',
	4, q{post(2, 'nothing')}, 'refused: there is no such transfer',
	2, q{reserve('v', 'EUR', 10, 'a', 4, 'a', now() + interval '1 hour')}, 'done',
	4, q{void(2, 'v')}, 'done',
	4, q{post(2, 'v')}, 'refused: the transfer is not pending',
	2, q{reserve('e', 'EUR', 10, 'a', 4, 'a', now() + interval '1 s')}, 'done');
ok($wires->poll($_, q{SELECT state = 'expired' FROM payment.transfer WHERE id = 'e'}), "a reservation is over when its time is, at member $_") foreach (@members);
is(same_everywhere($wires, q{SELECT o.state, o.at = t.expires, b.time >= t.expires FROM ledger.timer_outcome AS o JOIN ledger.block AS b USING (height), payment.transfer AS t WHERE t.id = 'e' AND o.key = '2 e'}, @members),
	'done|t|t', 'by a timer, and by nobody else');
is(same_everywhere($wires, 'SELECT count(*) FROM payment.expire_timer', @members), '0', 'those that were posted or voided have none');
calls(
	4, q{post(2, 'e')}, 'refused: the transfer is not pending',
	4, q{void(2, 'e')}, 'refused: the transfer is not pending',
	2, q{void(2, 'e')}, 'refused: the transfer is not pending');
is(same_everywhere($wires, q{SELECT member, balance, reserved, expected, available FROM payment.balance WHERE asset = 'EUR' AND purpose = 'a' ORDER BY member}, @members),
	"2|550|0|0|550\n3|-50|0|0|0\n4|400|0|0|400", 'what was posted has moved, and nothing is reserved any more');

# Invoices and netting.
calls(
	2, q{send_invoice('s', 2, 'EUR', 5, now())}, 'refused: nobody sends an invoice to itself',
	2, q{send_invoice('s', 3, 'EUR', 0, now())}, 'refused: an amount is above zero',
	2, q{send_invoice('s', 3, 'XXX', 1, now())}, 'refused: there is no such asset',
	2, q{send_invoice('1', 3, 'EUR', 100, '2026-01-31 00:00+00')}, 'done',
	2, q{send_invoice('1', 3, 'EUR', 100, '2026-01-31 00:00+00')}, 'done',
	2, q{send_invoice('1', 3, 'EUR', 101, '2026-01-31 00:00+00')}, 'refused: the id was used for another invoice',
	4, q{accept_invoice(2, '1')}, 'refused: there is no such invoice to the member',
	3, q{dispute_invoice(2, '1')}, 'done',
	3, q{accept_invoice(2, '1')}, 'done',
	3, q{dispute_invoice(2, '1')}, 'refused: the invoice is accepted',
	3, q{send_invoice('1', 4, 'EUR', 70, '2026-01-31 00:00+00')}, 'done',
	4, q{accept_invoice(3, '1')}, 'done',
	4, q{send_invoice('1', 2, 'EUR', 40, '2026-01-31 00:00+00')}, 'done',
	2, q{accept_invoice(4, '1')}, 'done',
	4, q{send_invoice('2', 2, 'EUR', 25, '2026-02-28 00:00+00')}, 'done',
	2, q{pay_invoice('inv', 4, '2', 'a', 'a')}, 'done',
	2, q{pay_invoice('inv', 4, '2', 'a', 'a')}, 'done',
	2, q{pay_invoice('inw', 4, '2', 'a', 'a')}, 'refused: the invoice is settled or withdrawn',
	4, q{withdraw_invoice('2')}, 'refused: the invoice is settled',
	4, q{send_invoice('3', 2, 'EUR', 1, now())}, 'done',
	4, q{withdraw_invoice('3')}, 'done',
	2, q{accept_invoice(4, '3')}, 'refused: the invoice is settled or withdrawn',
	4, q{open_netting('n', 'XXX', '2026-01-31 00:00+00', '{2,3,4}')}, 'refused: there is no such asset',
	4, q{open_netting('n', 'EUR', '2026-01-31 00:00+00', '{4}')}, 'refused: a netting is of 2 to 1000 members',
	4, q{open_netting('n', 'EUR', '2026-01-31 00:00+00', '{2,3,4}')}, 'done',
	4, q{open_netting('n', 'EUR', '2026-01-31 00:00+00', '{2,3,4}')}, 'refused: the id was used for another netting',
	1, q{join_netting(4, 'n', 1, 'a')}, 'refused: the netting is among other members',
	2, q{join_netting(4, 'm', 60, 'a')}, 'refused: there is no such open netting',
	2, q{join_netting(4, 'n', 60, 'x')}, 'refused: there is no such account',
	2, q{join_netting(4, 'n', 60, 'a')}, 'done',
	2, q{join_netting(4, 'n', 60, 'a')}, 'refused: the member has joined already',
	4, q{close_netting('n')}, 'refused: a netting is of two members at least',
	3, q{join_netting(4, 'n', -30, 'a')}, 'done',
	3, q{close_netting('n')}, 'refused: there is no such open netting',
	4, q{close_netting('n')}, 'refused: the netting does not balance',
	4, q{join_netting(4, 'n', -31, 'a')}, 'done',
	4, q{close_netting('n')}, 'refused: the netting does not balance',
	4, q{leave_netting(4, 'n')}, 'done',
	4, q{leave_netting(4, 'n')}, 'refused: the member has not joined',
	2, q{leave_netting(4, 'n')}, 'done',
	2, q{join_netting(4, 'n', 61, 'a')}, 'done',
	4, q{join_netting(4, 'n', -31, 'a')}, 'done',
	4, q{close_netting('n')}, 'refused: a position is not what the invoices give',
	2, q{leave_netting(4, 'n')}, 'done',
	4, q{leave_netting(4, 'n')}, 'done',
	2, q{join_netting(4, 'n', 60, 'a')}, 'done',
	4, q{join_netting(4, 'n', -30, 'a')}, 'done',
	4, q{close_netting('n')}, 'refused: not enough is available to a member who pays',
	2, q{transfer('help', 'EUR', 30, 'a', 3, 'a')}, 'done',
	4, q{close_netting('n')}, 'done',
	4, q{close_netting('n')}, 'refused: there is no such open netting',
	3, q{leave_netting(4, 'n')}, 'refused: there is no such open netting');
is(same_everywhere($wires, q{SELECT creditor, id, state, settled_by, settled_id FROM payment.invoice ORDER BY 1, 2}, @members),
	"2|1|netted|4|n\n3|1|netted|4|n\n4|1|netted|4|n\n4|2|paid|2|inv\n4|3|withdrawn||", 'the netting has settled what was accepted and due, of those who took part');
is(same_everywhere($wires, q{SELECT member, balance FROM payment.balance WHERE asset = 'EUR' ORDER BY member}, @members), "1|-900\n2|555\n3|-50\n4|395", 'three have paid and were paid by their positions');

# Two members alone.
calls(
	2, q{send_invoice('b', 4, 'EUR', 90, '2026-02-28 00:00+00')}, 'done',
	4, q{accept_invoice(2, 'b')}, 'done',
	2, q{open_netting('b', 'EUR', '2026-02-28 00:00+00', '{2,4}')}, 'done',
	3, q{join_netting(2, 'b', 1, 'a')}, 'refused: the netting is among other members',
	2, q{join_netting(2, 'b', 90, 'a')}, 'done',
	4, q{join_netting(2, 'b', -90, 'a')}, 'done',
	2, q{close_netting('b')}, 'done',
	2, q{open_netting('c', 'EUR', '2026-02-28 00:00+00', '{2,4}')}, 'done',
	2, q{cancel_netting('c')}, 'done',
	2, q{cancel_netting('c')}, 'refused: there is no such open netting',
	2, q{draw_statement('EUR', 'a')}, 'done',
	2, q{transfer('after', 'EUR', 5, 'a', 4, 'a')}, 'done',
	2, q{draw_statement('EUR', 'a')}, 'done',
	2, q{draw_statement('EUR', 'b')}, 'refused: there is no such account');
is(same_everywhere($wires, q{SELECT number, opening, debits, credits, closing FROM payment.statement WHERE asset = 'EUR' ORDER BY number}, @members), "1|0|506|1151|645\n2|645|5|0|640", 'statements go on where the one before has ended');
is(same_everywhere($wires, q{SELECT kind, by_member, id, debit, credit, balance FROM payment.movement WHERE member = 2 ORDER BY height, ref}, @members),
	join("\n", 'issue|1|i|0|1000|1000', 'transfer|2|t|300|0|700', "transfer|2|$id|1|0|699", "transfer|3|$id|0|1|700", 'reserve|2|p|150|0|550', 'invoice|2|inv|25|0|525', 'transfer|2|help|30|0|495',
		'netting|4|n|0|60|555', 'netting|2|b|0|90|645', 'transfer|2|after|5|0|640'), 'with the balance after each movement');
is(same_everywhere($wires, 'SELECT count(*) FROM payment.imbalance', @members), '0', 'the balances of each asset add up to zero');

# The sums are asked at the end of each block in which something has moved, and no
# others; where they are not right it says so.
is(same_everywhere($wires, q{SELECT state, count(*) > 10, count(*) = count(DISTINCT height) FROM ledger.timer_outcome WHERE contract = 'payment' AND handler = 'check_asset' AND key = 'EUR' GROUP BY state}, @members),
	'done|t|t', 'the sums of an asset are asked block by block');
is(same_everywhere($wires, q{SELECT count(*) FROM (SELECT posted_height FROM payment.transfer WHERE state = 'posted' UNION SELECT closed_height FROM payment.netting WHERE state = 'closed') AS m (height)
		WHERE NOT EXISTS (SELECT FROM ledger.timer_outcome AS t WHERE t.height = m.height AND t.handler = 'check_asset' AND t.at = (SELECT b.time FROM ledger.block AS b WHERE b.height = m.height))}, @members),
	'0', 'in each one in which something has moved');
{
	my $source = slurp_file("$FindBin::RealBin/../../sql/contracts/payment.sql");
	my $wrong = 'credits = credits + move.amount + 1, balance = balance + move.amount + 1, available = available + move.amount + 1, room = room - move.amount - 1';

	$source =~ s/credits = credits \+ move\.amount, balance = balance \+ move\.amount, available = available \+ move\.amount, room = room - move\.amount/$wrong/ or die 'the contract moves in another way';
	$source =~ s/(CREATE FUNCTION expire\(.*\nBEGIN ATOMIC\n)/$1    SELECT refuse('no timer ends it');\n/ or die 'reservations expire in another way';
	deploy($wires, 1, 'leak', $source);
	approve($wires, 'leak', 2, 3);
	ok($wires->poll($_, q{SELECT state FROM ledger.contract WHERE name = 'leak'}, 'deployed'), "one that makes money is deployed at member $_") foreach (@members);
	my @refs = split /\n/, $wires->sql(1, q{SELECT leak.define_asset('USD'); SELECT leak.define_asset('EUR'); SELECT leak.open_account('EUR', 'a'); SELECT leak.issue('i', 'EUR', 5, 1, 'a')});

	is($wires->sql(1, "SELECT state FROM ledger.outcome('$refs[3]', '$wait')"), 'done', 'what it does wrong it does');
	is(same_everywhere($wires, q{SELECT key, state, message FROM ledger.timer_outcome WHERE contract = 'leak' AND handler = 'check_asset'}, @members), 'EUR|refused|the balances of the asset do not add up to zero', 'and is found in that block');
	is($wires->sql(1, "SELECT t.height = o.height FROM ledger.timer_outcome AS t, ledger.outcome('$refs[3]') AS o WHERE t.contract = 'leak' AND t.handler = 'check_asset'"), 't', 'in no later one');
	is(same_everywhere($wires, 'SELECT * FROM leak.imbalance', @members), 'EUR|1', 'so much of it');

	# A reservation whose timer has come to nothing.
	local $contract = 'leak';
	calls(
		2, q{open_account('EUR', 'a')}, 'done',
		1, q{reserve('r', 'EUR', 3, 'a', 2, 'a', now() + interval '3 s')}, 'done');
	ok($wires->poll($_, q{SELECT state || ': ' || message FROM ledger.timer_outcome WHERE contract = 'leak' AND handler = 'expire'}, 'refused: no timer ends it'), "the timer of a reservation fails at member $_") foreach (@members);
	is(same_everywhere($wires, q{SELECT t.state, (SELECT count(*) FROM leak.expire_timer), a.available FROM leak.transfer AS t, leak.account AS a WHERE t.id = 'r' AND a.member = 1 AND a.purpose = 'a'}, @members),
		'pending|0|3', 'and does not run again');
	calls(
		2, q{post(1, 'r')}, 'refused: the transfer has expired',
		3, q{void(1, 'r')}, 'refused: only who is to be paid voids a transfer, or who pays when its time is over',
		1, q{void(1, 'r')}, 'done',
		1, q{void(1, 'r')}, 'refused: the transfer is not pending');
	is(same_everywhere($wires, q{SELECT member, purpose, reserved, expected, available FROM leak.account WHERE asset = 'EUR' AND purpose = 'a' ORDER BY member}, @members), "1|a|0|0|6\n2|a|0|0|0", 'who pays has its money back');
}

# The contract of the README, with its second version, and the calls of both.
{
	my ($chapter) = slurp_file("$FindBin::RealBin/../../README.md") =~ /^### Write your own contract\n(.*?)^### /ms;
	my @blocks = $chapter =~ /^```sql\n(.*?)^```$/msg;

	is(join(' ', map { /^-- (numbering|at member)/ ? $1 : '' } @blocks), 'numbering at member numbering at member', 'the README has a contract of two versions, and calls');
	foreach my $version (1, 2)
	{
		deploy($wires, 1, 'numbering', $blocks[ 2 * $version - 2 ]);
		approve($wires, 'numbering', 2, 3);
		ok($wires->poll($_, "SELECT state FROM ledger.contract WHERE name = 'numbering' AND version = $version", 'deployed'), "version $version is deployed at member $_") foreach (@members);
		readme_calls(split /\n/, $blocks[ 2 * $version - 1 ]);
	}
}

# Lines of a session of the README, each with what it gives.
sub readme_calls
{
	my (@lines) = @_;
	my $member = 0;
	my $count = 0;

	foreach my $line (@lines)
	{
		if ($line =~ /^-- at member (\d)$/)
		{
			$member = $1;
			next;
		}
		my ($query, $expected) = $line =~ /^(SELECT .*;)\s+-- (.*)$/ or die "what is this in the README: $line";
		my $answer = $query =~ / FROM / ? same_everywhere($wires, $query, @members) : $wires->sql($member, $query);

		$answer = $wires->sql($member, "SELECT state || coalesce(': ' || message, '') FROM ledger.outcome('$answer', '$wait')") if $query !~ / FROM /;
		is($answer, $expected, "as the README says, at member $member: $query");
		$count++;
	}
	return cmp_ok($count, '>', 4, 'the README has calls');
}

# A random history: every member calls at once, in transactions of up to four
# calls, among them such as have been before.
{
	my $history = LedgerPayment->history($seed, \@members, 120);
	my @sessions;

	note "seed $seed";
	differ_tables($wires, 'payment');
	foreach my $member (@members)
	{
		my $file = PostgreSQL::Test::Utils::tempdir() . "/member$member.sql";
		my ($out, $err) = ('', '');

		append_to_file($file, $history->{$member});
		push @sessions, IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $wires->node($member)->connstr('postgres'), '-f', $file ],
			'<', \undef, '>', \$out, '2>', \$err);
	}
	ok($_->finish, 'a member has called') foreach (@sessions);
	foreach my $member (@members)
	{
		my $ref = $wires->sql($member, q{SELECT payment.open_account('EUR', 'a')});

		is($wires->sql($_, "SELECT state FROM ledger.outcome('$ref', '$wait')"), 'done', "member $_ has all calls of member $member") foreach (@members);
	}
}
my $model = LedgerPayment->new({ 1 => ['issuer'] });
my @calls = map { decode_json($_) } split /\n/, $wires->sql(1, LedgerPayment->calls_query($wires->sql(1, LedgerPayment::ENTRIES)));
my @different;

foreach my $call (@calls)
{
	my $words = $model->call($call);
	my $said = $call->{message} // $call->{state};

	push @different, "$call->{ref} $call->{entry} by $call->{member}: $said, and by the model $words" if $words ne $said;
}
cmp_ok(scalar(@calls), '>', 700, 'several hundred calls');
ok($wires->poll($_, q{SELECT NOT EXISTS (SELECT FROM payment.expire_timer WHERE at < now() + interval '30 min')}), "what has expired is over at member $_") foreach (@members);
$model->expire((time + 1800) * 1000000);
is(join("\n", @different[ 0 .. ($#different > 9 ? 9 : $#different) ]), '', 'each has the outcome that the model gives');
is(same_everywhere($wires, 'SELECT member, asset, purpose, balance, reserved, expected FROM payment.balance ORDER BY member, asset COLLATE "C", purpose COLLATE "C"', @members),
	$model->balances, 'each account the balance');
my %seen;

$seen{ $_->{entry} . ' ' . $_->{state} }++ foreach (@calls);
cmp_ok($seen{$_} // 0, '>', 0, "the history has calls of which this came: $_")
  foreach ('issue done', 'transfer done', 'transfer refused', 'reserve done', 'post done', 'post refused', 'void done', 'pay_invoice done', 'redeem done');
is(same_everywhere($wires, q{SELECT DISTINCT handler, state FROM ledger.timer_outcome WHERE contract = 'payment' ORDER BY 1}, @members), "check_asset|done\nexpire|done", 'and timers: what has expired, and sums that are right');
is(same_everywhere($wires, q{SELECT (SELECT count(*) FROM payment.transfer WHERE state = 'pending') = count(*) FROM payment.expire_timer}, @members), 't', 'each pending one has a timer');
is(same_everywhere($wires, 'SELECT count(*) FROM payment.imbalance', @members), '0', 'sums are zero');
is(same_everywhere($wires, 'SELECT count(*) FROM (SELECT DISTINCT ON (member, asset, purpose) member, asset, purpose, balance FROM payment.movement ORDER BY member, asset, purpose, height DESC, ref DESC) AS m JOIN payment.balance AS b USING (member, asset, purpose) WHERE m.balance <> b.balance', @members),
	'0', 'running balances end with those of the accounts');
like(same_everywhere($wires, q{SELECT encode(digest, 'hex') FROM ledger.state ORDER BY table_id}, @members), qr/^[0-9a-f\n]+$/, 'all members have the same state');
is($wires->sql(3, q{SELECT * FROM ledger.verify(mode => 'full')}), '', 'and nothing is wrong');

# An issuer whose role is taken away takes back what it has given, and gives no more.
$wires->sql($_, q{SELECT ledger.set_roles('member1', '{}')}) foreach (2 .. 4);
ok($wires->poll(1, q{SELECT roles FROM ledger.member WHERE member = 1}, '{}'), 'member 1 is no issuer any more');
calls(
	1, q{issue('late', 'EUR', 1, 2, 'a')}, 'refused: who issues an asset has the role issuer',
	1, q{issue('i', 'EUR', 1000, 2, 'a')}, 'done',
	1, q{limit_credit(4, 'EUR', 'a', 1)}, 'refused: who gives credit has the role issuer',
	1, q{limit_credit(4, 'EUR', 'a', 0)}, 'done',
	1, q{define_asset('NEW')}, 'refused: who issues an asset has the role issuer');

done_testing();
