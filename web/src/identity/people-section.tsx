/** Settings of the owner: who may publish here. */
import { useQuery } from '@tanstack/react-query';
import { UserMinus } from 'lucide-react';
import { useId, useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import type { UploadPolicy } from '../../../src/base/api.ts';
import { formatBytes } from '../../../src/base/units.ts';
import { addMember, membersQuery, removeMember } from '../api/queries.ts';
import type { MemberInfo } from '../api/read.ts';
import { announce } from '../app/announcer.ts';
import { inBackground } from '../app/problems.ts';
import { Button, IconButton } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { ErrorNotice } from '../components/notice.tsx';
import { Section } from '../components/page.tsx';
import { FieldPicture } from '../components/poster.tsx';
import { parseSha256 } from '../../../src/base/ids.ts';
import { shortId } from '../lib/format.ts';
import { useNpub } from './npub.ts';

async function addByText(text: string): Promise<void> {
  const { parsePubkeyText } = await import('./keys.ts');
  await addMember(parsePubkeyText(text));
}

function AddPerson() {
  const { t } = useTranslation();
  const id = useId();
  const [state, setState] = useState<{ readonly isBusy: boolean; readonly error?: unknown }>({ isBusy: false });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = event.currentTarget;
    const text = new FormData(form).get('pubkey');
    setState({ isBusy: true });
    addByText(typeof text === 'string' ? text : '').then(
      () => {
        form.reset();
        setState({ isBusy: false });
        announce(t('settings.added'));
      },
      (error: unknown) => setState({ isBusy: false, error }),
    );
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <label htmlFor={id} className="text-sm font-medium">
        {t('settings.addPerson')}
      </label>
      <div className="flex gap-3">
        <input
          id={id}
          name="pubkey"
          required
          autoComplete="off"
          spellCheck={false}
          dir="ltr"
          aria-describedby={`${id}-hint`}
          className="min-h-10 min-w-0 flex-1 rounded-control border border-line-strong bg-surface px-3 font-mono text-sm"
        />
        <Button type="submit" disabled={state.isBusy}>
          {t('settings.add')}
        </Button>
      </div>
      <p id={`${id}-hint`} className="text-sm text-muted">
        {t('settings.addPersonHint')}
      </p>
      {state.error !== undefined && <ErrorNotice error={state.error} />}
    </form>
  );
}

function Person({ member }: { readonly member: MemberInfo }) {
  const { t } = useTranslation();
  const [asks, setAsks] = useState(false);
  const npub = useNpub(member.pubkey);
  const key = shortId(npub ?? member.pubkey);
  return (
    <li className="flex items-center gap-3 py-3">
      <span className="size-9 flex-none overflow-hidden rounded-full border border-line">
        <FieldPicture sha256={parseSha256(member.pubkey)} />
      </span>
      <div className="min-w-0 flex-1">
        <p className="truncate font-mono text-sm" dir="ltr" title={npub}>
          {key}
        </p>
        <p className="numeric text-xs text-muted">
          {member.role === 'owner' ? t('settings.you') : t('settings.room', { size: formatBytes(member.quotaBytes) })}
        </p>
      </div>
      {member.role === 'member' && (
        <IconButton icon={UserMinus} label={t('settings.removePerson', { key })} onClick={() => setAsks(true)} />
      )}
      <Confirm
        isOpen={asks}
        onClose={() => setAsks(false)}
        onConfirm={() => inBackground(removeMember(member.pubkey))}
        title={t('settings.removePersonTitle')}
        body={t('settings.removePersonBody', { key })}
        yes={t('settings.removePersonYes')}
        no={t('settings.removePersonNo')}
      />
    </li>
  );
}

const LEADS = {
  members: 'settings.peopleLead',
  anyone: 'settings.peopleAnyone',
  owner: 'settings.peopleOwner',
} as const;

export function PeopleSection({ policy }: { readonly policy: UploadPolicy }) {
  const { t } = useTranslation();
  const { data: members, error } = useQuery(membersQuery);
  return (
    <Section title={t('settings.people')}>
      <p className="text-sm text-muted">{t(LEADS[policy])}</p>
      {error !== null && <ErrorNotice error={error} />}
      {members !== undefined && (
        <ul className="-my-2 divide-y divide-line">
          {members.map((member) => (
            <Person key={member.pubkey} member={member} />
          ))}
        </ul>
      )}
      <AddPerson />
    </Section>
  );
}
