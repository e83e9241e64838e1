/** Says so when the page was opened at another address than the server's own: sessions hold there only. */
import { useQuery } from '@tanstack/react-query';
import { useRouterState } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { serverQuery } from '../api/queries.ts';

/** The same page at the server's own address; undefined where we are there already. */
export function ownAddressOf(publicUrl: string, here: string): string | undefined {
  const { origin, pathname, search } = new URL(here);
  const own = new URL(publicUrl).origin;
  return own === origin ? undefined : `${own}${pathname}${search}`;
}

export function AddressNote() {
  const { t } = useTranslation();
  const { data: server } = useQuery(serverQuery);
  const path = useRouterState({ select: (state) => state.location.href });
  if (server === undefined) return null;
  const address = ownAddressOf(server.publicUrl, new URL(path, location.href).href);
  if (address === undefined) return null;
  return (
    <p className="bg-caution-soft px-4 py-2 text-center text-sm text-caution">
      {t('app.otherAddress')}{' '}
      <a href={address} className="wrap-anywhere underline underline-offset-4">
        {address}
      </a>
    </p>
  );
}
