# The contract payment once more, in Perl and as simply as can be: no totals are
# kept; a balance is what all entries add up to.  And random calls for it.
#
#	my $script = LedgerPayment->history($seed, [1 .. 4], 100)->{2};
#								SQL: what member 2 calls, in about 100 transactions
#	my $query = LedgerPayment->calls_query($tables)
#								gives all calls that are final, in their order, as
#								JSON; $tables is what the query ENTRIES gives
#	my $model = LedgerPayment->new({ 1 => ['issuer'] });	roles of members
#	$model->call($call)			executes one of them: 'done', or why not
#	$model->expire($time)		what is due then, in microseconds, is over
#	$model->balances			of all accounts, as psql prints them
package LedgerPayment;

use strict;
use warnings;

use constant LIMIT => 1000000000000000000;
use constant ACCOUNTS_MAX => 1000;

# Columns of the tables of calls; times in microseconds.
use constant ENTRIES => q{
SELECT string_agg(format('SELECT %L AS entry, c.ledger_ref AS ref, json_build_object(%s) AS args FROM payment.%I AS c', name, coalesce(columns, ''), name || '_call'), ' UNION ALL ')
  FROM (SELECT left(c.relname, -5) AS name,
               string_agg(format(CASE a.atttypid WHEN 'timestamptz'::regtype THEN '%L, (extract(epoch FROM c.%I) * 1000000)::bigint' ELSE '%L, c.%I' END, a.attname, a.attname), ', ') FILTER (WHERE a.attname IS NOT NULL) AS columns
          FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attname <> 'ledger_ref'
         WHERE c.relnamespace = 'payment'::regnamespace AND c.relname LIKE '%\_call'
         GROUP BY c.relname) AS t};

sub calls_query
{
	my ($class, $tables) = @_;

	return "SELECT json_build_object('entry', c.entry, 'ref', c.ref, 'member', split_part(c.ref::text, '.', 1)::bigint, 'state', o.state, 'message', o.message,
		'time', (extract(epoch FROM b.time) * 1000000)::bigint, 'before', (extract(epoch FROM p.time) * 1000000)::bigint, 'args', c.args)
		FROM ($tables) AS c JOIN ledger.call_outcome AS o USING (ref) JOIN ledger_internal.block AS b USING (height)
		JOIN ledger_internal.block AS p ON p.height = b.height - 1 ORDER BY o.height, o.ref";
}

sub new
{
	my ($class, $roles) = @_;

	return bless { roles => $roles, asset => {}, account => {}, transfer => {}, invoice => {}, netting => {}, entry => [] }, $class;
}

# What a refusal says is thrown.  Timers run behind the calls of a block.
sub call
{
	my ($self, $call) = @_;
	my $entry = "call_$call->{entry}";

	local $self->{member} = $call->{member};
	local $self->{time} = $call->{time};
	$self->expire($call->{before});
	return 'done' if eval { $self->$entry($call->{args}); 1 };
	return $@ =~ s/\n\z//r;
}

sub expire
{
	my ($self, $time) = @_;

	$_->{state} = 'expired' foreach (grep { $_->{state} eq 'pending' && $_->{expires} <= $time } values %{ $self->{transfer} });
	return;
}

sub balances
{
	my ($self) = @_;

	return join "\n", map { my $account = $_; join '|', split(/ /, $account), $self->balance($account), map { $self->pending($_, $account) } qw(source target) } sort keys %{ $self->{account} };
}

sub refuse_if { my ($condition, $words) = @_; die "$words\n" if $condition; return }

sub balance
{
	my ($self, $account) = @_;
	my $sum = 0;

	foreach my $entry (grep { $_->[0] eq $account } @{ $self->{entry} })
	{
		$sum += $entry->[2] - $entry->[1];
	}
	return $sum;
}

# What it will pay (source) or receive (target) by transfers that are pending.
sub pending
{
	my ($self, $side, $account) = @_;
	my $sum = 0;

	$sum += $_->{amount} foreach (grep { $_->{state} eq 'pending' && $_->{$side} eq $account } values %{ $self->{transfer} });
	return $sum;
}

sub available { my ($self, $account) = @_; return $self->balance($account) - $self->pending(source => $account) + $self->{account}{$account}{credit_limit} }
sub room { my ($self, $account) = @_; return $self->{account}{$account}{balance_limit} - $self->balance($account) - $self->pending(target => $account) }

sub enter { my ($self, @entry) = @_; push @{ $self->{entry} }, \@entry; return }

# Is it there already, and the same?
sub again
{
	my ($known, $new, $what) = @_;

	return 0 if !defined $known;
	foreach my $key (keys %$new)
	{
		refuse_if(($known->{$key} // '') ne ($new->{$key} // ''), "the id was used for another $what") if $key ne 'state';
	}
	return 1;
}

sub check_amount
{
	my ($transfer) = @_;

	refuse_if(!defined $transfer->{amount} || $transfer->{amount} <= 0, 'an amount is above zero');
	refuse_if($transfer->{source} eq $transfer->{target}, 'source and target are the same account');
	return;
}

sub check_accounts
{
	my ($self, $transfer) = @_;

	refuse_if(!$self->{account}{ $transfer->{source} }, 'there is no such account to pay from');
	refuse_if($self->available($transfer->{source}) < $transfer->{amount}, 'not enough is available');
	refuse_if(!$self->{account}{ $transfer->{target} }, 'there is no such account to pay to');
	refuse_if($self->room($transfer->{target}) < $transfer->{amount}, 'the balance limit of the target would be exceeded');
	return;
}

sub move
{
	my ($self, $id, $new) = @_;

	check_amount($new);
	return if again($self->{transfer}{$id}, $new, 'transfer');
	$self->check_accounts($new);
	$self->enter($new->{source}, $new->{amount}, 0);
	$self->enter($new->{target}, 0, $new->{amount});
	$self->{transfer}{$id} = { %$new, state => 'posted' };
	return;
}

sub account { my ($self, $member, $args, $purpose) = @_; return "$member " . ($args->{asset} // '') . ' ' . ($purpose // '') }
sub own { my ($self, $id) = @_; refuse_if(length($id) < 1 || length($id) > 40, 'an id has 1 to 40 characters'); return "$self->{member} $id" }

sub call_define_asset
{
	my ($self, $args) = @_;

	refuse_if(!grep({ $_ eq 'issuer' } @{ $self->{roles}{ $self->{member} } // [] }), 'who issues an asset has the role issuer');
	refuse_if($self->{asset}{ $args->{asset} }, 'the asset is defined already');
	refuse_if(!defined $args->{decimals} || $args->{decimals} < 0 || $args->{decimals} > 9, 'an asset has 0 to 9 decimals');
	refuse_if($args->{issue_limit} < 1 || $args->{issue_limit} > LIMIT, 'an issue limit is between 1 and 1000000000000000000');
	$self->{asset}{ $args->{asset} } = $self->{member};
	$self->{account}{ $self->account($self->{member}, $args, 'issue') } = { credit_limit => $args->{issue_limit}, balance_limit => LIMIT };
	return;
}

sub call_open_account
{
	my ($self, $args) = @_;
	my $account = $self->account($self->{member}, $args, $args->{purpose});
	my $others = $self->account($self->{member}, $args);

	refuse_if(!$self->{asset}{ $args->{asset} }, 'there is no such asset');
	refuse_if($args->{purpose} eq 'issue', 'the purpose issue is for what an issuer has issued');
	refuse_if(!$self->{account}{$account} && grep({ index($_, $others) == 0 } keys %{ $self->{account} }) >= ACCOUNTS_MAX, 'a member has at most 1000 accounts in an asset');
	$self->{account}{$account} //= { credit_limit => 0, balance_limit => LIMIT };
	return;
}

sub call_limit_credit
{
	my ($self, $args) = @_;
	my $account = $self->account($args->{member}, $args, $args->{purpose});
	my $limit = $args->{credit_limit};

	refuse_if(($self->{asset}{ $args->{asset} } // 0) != $self->{member}, 'only the issuer of the asset gives credit in it');
	refuse_if(!$self->{account}{$account}, 'there is no such account');
	refuse_if($limit < 0 || $limit > LIMIT, 'a limit is between 0 and 1000000000000000000');
	refuse_if($self->balance($account) - $self->pending(source => $account) + $limit < 0, 'more credit than that is used');
	$self->{account}{$account}{credit_limit} = $limit;
	return;
}

sub call_limit_balance
{
	my ($self, $args) = @_;
	my $account = $self->account($self->{member}, $args, $args->{purpose});
	my $limit = $args->{balance_limit};

	refuse_if(!$self->{account}{$account}, 'there is no such account');
	refuse_if($limit < 0 || $limit > LIMIT, 'a limit is between 0 and 1000000000000000000');
	refuse_if($self->balance($account) + $self->pending(target => $account) > $limit, 'more than that is in the account, or expected');
	$self->{account}{$account}{balance_limit} = $limit;
	return;
}

sub call_issue
{
	my ($self, $args) = @_;

	refuse_if(($self->{asset}{ $args->{asset} } // 0) != $self->{member}, 'only its issuer issues an asset');
	$self->move($self->own($args->{id}), { kind => 'issue', amount => $args->{amount}, reference => $args->{reference},
		source => $self->account($self->{member}, $args, 'issue'), target => $self->account($args->{target}, $args, $args->{target_purpose}) });
	return;
}

sub call_redeem
{
	my ($self, $args) = @_;

	refuse_if($args->{purpose} eq 'issue', 'what is issued is not redeemed by its issuer alone');
	refuse_if(!$self->{asset}{ $args->{asset} }, 'there is no such asset');
	$self->move($self->own($args->{id}), { kind => 'redeem', amount => $args->{amount}, reference => $args->{reference},
		source => $self->account($self->{member}, $args, $args->{purpose}), target => $self->account($self->{asset}{ $args->{asset} }, $args, 'issue') });
	return;
}

sub check_purposes { my ($args) = @_; return refuse_if($args->{purpose} eq 'issue' || $args->{target_purpose} eq 'issue', 'accounts for the purpose issue are for issue and redeem') }

sub call_transfer
{
	my ($self, $args) = @_;

	check_purposes($args);
	$self->move($self->own($args->{id}), { kind => 'transfer', amount => $args->{amount}, reference => $args->{reference},
		source => $self->account($self->{member}, $args, $args->{purpose}), target => $self->account($args->{target}, $args, $args->{target_purpose}) });
	return;
}

sub call_reserve
{
	my ($self, $args) = @_;
	my $new = { kind => 'reserve', amount => $args->{amount}, reference => $args->{reference}, expires => $args->{expires},
		source => $self->account($self->{member}, $args, $args->{purpose}), target => $self->account($args->{target}, $args, $args->{target_purpose}), state => 'pending' };

	$self->own($args->{id});
	check_purposes($args);
	check_amount($new);
	return if again($self->{transfer}{ $self->own($args->{id}) }, $new, 'transfer');
	refuse_if($args->{expires} <= $self->{time}, 'a reservation expires after it was made');
	$self->check_accounts($new);
	$self->{transfer}{ $self->own($args->{id}) } = $new;
	return;
}

# One that somebody wants to post or to void.
sub transfer_of
{
	my ($self, $args) = @_;
	my $transfer = $self->{transfer}{"$args->{member} $args->{id}"};

	refuse_if(!$transfer, 'there is no such transfer');
	return $transfer;
}
sub is_of { my ($self, $transfer, @sides) = @_; return grep { $transfer->{$_} =~ /^$self->{member} / } @sides }

sub call_post
{
	my ($self, $args) = @_;
	my $transfer = $self->transfer_of($args);
	my $amount = $args->{amount} // $transfer->{amount};

	refuse_if(!$self->is_of($transfer, 'source', 'target'), 'only who pays or is paid posts a transfer');
	refuse_if($transfer->{state} ne 'pending', 'the transfer is not pending');
	refuse_if($transfer->{expires} <= $self->{time}, 'the transfer has expired');
	refuse_if($amount <= 0, 'an amount is above zero');
	refuse_if($amount > $transfer->{amount}, 'less than that is reserved');
	refuse_if($amount < $transfer->{amount} && !$self->is_of($transfer, 'target'), 'only who is paid posts less than is reserved');
	$transfer->{state} = 'posted';
	$self->enter($transfer->{source}, $amount, 0);
	$self->enter($transfer->{target}, 0, $amount);
	return;
}

sub call_void
{
	my ($self, $args) = @_;
	my $transfer = $self->transfer_of($args);

	refuse_if(!$self->is_of($transfer, 'target') && !($self->is_of($transfer, 'source') && defined $transfer->{expires} && $transfer->{expires} <= $self->{time}),
		'only who is to be paid voids a transfer, or who pays when its time is over');
	refuse_if($transfer->{state} ne 'pending', 'the transfer is not pending');
	$transfer->{state} = 'voided';
	return;
}

sub call_send_invoice
{
	my ($self, $args) = @_;
	my $new = { map { $_ => $args->{$_} } qw(debtor asset amount due reference) };

	return if again($self->{invoice}{ $self->own($args->{id}) }, $new, 'invoice');
	refuse_if($args->{amount} <= 0, 'an amount is above zero');
	refuse_if($args->{debtor} == $self->{member}, 'nobody sends an invoice to itself');
	refuse_if(!$self->{asset}{ $args->{asset} }, 'there is no such asset');
	$self->{invoice}{ $self->own($args->{id}) } = { %$new, creditor => $self->{member}, state => 'sent' };
	return;
}

sub invoice_to
{
	my ($self, $creditor, $id) = @_;
	my $invoice = $self->{invoice}{"$creditor $id"};

	refuse_if(!$invoice || $invoice->{debtor} != $self->{member}, 'there is no such invoice to the member');
	return $invoice;
}
sub check_open { my ($invoice) = @_; return refuse_if(scalar($invoice->{state} =~ /paid|netted|withdrawn/), 'the invoice is settled or withdrawn') }

sub call_accept_invoice
{
	my ($self, $args) = @_;
	my $invoice = $self->invoice_to($args->{creditor}, $args->{id});

	check_open($invoice);
	$invoice->{state} = 'accepted';
	return;
}

sub call_dispute_invoice
{
	my ($self, $args) = @_;
	my $invoice = $self->invoice_to($args->{creditor}, $args->{id});

	check_open($invoice);
	refuse_if($invoice->{state} eq 'accepted', 'the invoice is accepted');
	$invoice->{state} = 'disputed';
	return;
}

sub call_withdraw_invoice
{
	my ($self, $args) = @_;
	my $invoice = $self->{invoice}{ $self->own($args->{id}) };

	refuse_if(!$invoice, 'there is no such invoice of the member');
	refuse_if(scalar($invoice->{state} =~ /paid|netted/), 'the invoice is settled');
	$invoice->{state} = 'withdrawn';
	return;
}

sub call_pay_invoice
{
	my ($self, $args) = @_;
	my $invoice = $self->invoice_to($args->{creditor}, $args->{invoice});
	my $repeated = $invoice->{state} eq 'paid' && $invoice->{by} eq $args->{id};

	if (!$repeated)
	{
		check_open($invoice);
		refuse_if($self->{transfer}{ $self->own($args->{id}) }, 'the id was used for another transfer');
		check_purposes($args);
	}
	$self->move($self->own($args->{id}), { kind => 'invoice', amount => $invoice->{amount}, reference => $invoice->{reference},
		source => $self->account($self->{member}, $invoice, $args->{purpose}), target => $self->account($args->{creditor}, $invoice, $args->{target_purpose}) });
	@{$invoice}{qw(state by)} = ('paid', $args->{id});
	return;
}

sub call_open_netting
{
	my ($self, $args) = @_;

	$self->own($args->{id});
	refuse_if(@{ $args->{members} } < 2 || @{ $args->{members} } > 1000, 'a netting is of 2 to 1000 members');
	refuse_if(!$self->{asset}{ $args->{asset} }, 'there is no such asset');
	refuse_if($self->{netting}{ $self->own($args->{id}) }, 'the id was used for another netting');
	$self->{netting}{ $self->own($args->{id}) } = { asset => $args->{asset}, due => $args->{due}, members => $args->{members}, state => 'open', joined => {} };
	return;
}

sub netting
{
	my ($self, $opener, $id) = @_;
	my $netting = $self->{netting}{"$opener $id"};

	refuse_if(!$netting || $netting->{state} ne 'open', 'there is no such open netting');
	return $netting;
}

sub call_join_netting
{
	my ($self, $args) = @_;
	my $netting = $self->netting($args->{opener}, $args->{id});
	my $account = $self->account($self->{member}, $netting, $args->{purpose});

	refuse_if(!grep({ $_ == $self->{member} } @{ $netting->{members} }), 'the netting is among other members');
	refuse_if($netting->{joined}{ $self->{member} }, 'the member has joined already');
	refuse_if($args->{purpose} eq 'issue' || !$self->{account}{$account}, 'there is no such account');
	$netting->{joined}{ $self->{member} } = [ $account, $args->{amount} ];
	return;
}

sub call_leave_netting
{
	my ($self, $args) = @_;
	my $netting = $self->netting($args->{opener}, $args->{id});

	refuse_if(!delete $netting->{joined}{ $self->{member} }, 'the member has not joined');
	return;
}

sub call_cancel_netting { my ($self, $args) = @_; $self->netting($self->{member}, $args->{id})->{state} = 'cancelled'; return }

sub call_close_netting
{
	my ($self, $args) = @_;
	my $netting = $self->netting($self->{member}, $args->{id});
	my $joined = $netting->{joined};
	my ($sum, %owed) = (0);
	my @invoices = grep { $_->{state} eq 'accepted' && $_->{asset} eq $netting->{asset} && $_->{due} <= $netting->{due} && $joined->{ $_->{creditor} } && $joined->{ $_->{debtor} } } values %{ $self->{invoice} };

	refuse_if(keys %$joined < 2, 'a netting is of two members at least');
	$sum += $_->[1] foreach (values %$joined);
	refuse_if($sum != 0, 'the netting does not balance');
	foreach my $invoice (@invoices)
	{
		$owed{ $invoice->{creditor} } += $invoice->{amount};
		$owed{ $invoice->{debtor} } -= $invoice->{amount};
	}
	refuse_if($joined->{$_}[1] != ($owed{$_} // 0), 'a position is not what the invoices give') foreach (keys %$joined);
	refuse_if($self->available($_->[0]) < -$_->[1], 'not enough is available to a member who pays') foreach (values %$joined);
	refuse_if($self->room($_->[0]) < $_->[1], 'the balance limit of a member who is paid would be exceeded') foreach (values %$joined);
	$self->enter($_->[0], $_->[1] < 0 ? -$_->[1] : 0, $_->[1] > 0 ? $_->[1] : 0) foreach (values %$joined);
	$_->{state} = 'netted' foreach (@invoices);
	$netting->{state} = 'closed';
	return;
}

sub call_draw_statement
{
	my ($self, $args) = @_;

	refuse_if(!$self->{account}{ $self->account($self->{member}, $args, $args->{purpose}) }, 'there is no such account');
	return;
}

# Numbers from a seed, the same everywhere.
sub number
{
	my ($self, $below) = @_;

	$self->{seed} = ($self->{seed} * 1103515245 + 12345) % 2147483648;
	return ($self->{seed} >> 8) % $below;
}

sub history
{
	my ($class, $seed, $members, $count) = @_;
	my $self = bless { seed => $seed }, $class;
	my %scripts;

	foreach my $member (@$members)
	{
		$scripts{$member} .= "SELECT payment.open_account('EUR', '$_');\n" foreach ('a', 'b');
		$scripts{$member} .= "SELECT payment.issue('start$_', 'EUR', 1000, $_, 'b');\n" foreach ($member == 1 ? @$members : ());
		foreach my $number (1 .. $count)
		{
			my @calls = map { 'SELECT payment.' . $self->random_call($member, $number) . ";\n" } 1 .. 1 + $self->number(3);

			$scripts{$member} .= @calls > 1 ? "BEGIN;\n@{calls}COMMIT;\n" : $calls[0];
		}
	}
	return \%scripts;
}

# Few ids, so that many are used twice and found by others; many amounts are too
# large.
sub random_call
{
	my ($self, $member, $number) = @_;
	my @purposes = map { $self->number(30) == 0 ? 'c' : $self->number(2) ? 'a' : 'b' } 1, 2;
	my $amount = $self->number(40) == 0 ? -$self->number(3) : 1 + $self->number($self->number(5) == 0 ? 900 : 60);
	my $other = 1 + $self->number(4);
	my $id = 'h' . (1 + int($number * 3 / 2) - $self->number(8));
	my $reservation = 'r' . int($number / 5);
	my $invoice = 'v' . int($number / 10);
	my $kind = $self->number(20);

	return "issue('$id', 'EUR', $amount, $other, '$purposes[0]')" if $kind == 0 || ($kind == 1 && $member == 1);
	return "redeem('$id', 'EUR', $amount, '$purposes[0]')" if $kind <= 2;
	return "transfer('$id', 'EUR', $amount, '$purposes[0]', $other, '$purposes[1]')" if $kind <= 8;
	return "reserve('$reservation', 'EUR', $amount, '$purposes[0]', $other, '$purposes[1]', now() + interval '" . ($self->number(4) == 0 ? '200 ms' : '1 hour') . "')" if $kind <= 11;
	return "post($other, '$reservation'" . ($self->number(2) ? ", $amount)" : ')') if $kind == 12;
	return 'post(' . join(', ', $member, "'$reservation'") . ')' if $kind == 13;
	return "void($other, '$reservation')" if $kind <= 15;
	return "send_invoice('$invoice', $other, 'EUR', $amount, '2026-02-01 00:00+00')" if $kind == 16;
	return ($self->number(4) ? 'accept' : 'dispute') . "_invoice($other, '$invoice')" if $kind == 17;
	return "pay_invoice('p$number', $other, '$invoice', '$purposes[0]', '$purposes[1]')" if $kind == 18;
	return $self->number(3) ? "limit_balance('EUR', '$purposes[0]', " . (200 + $self->number(2000)) . ')' : "withdraw_invoice('$invoice')";
}

1;
