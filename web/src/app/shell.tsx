/** What surrounds every page: header, navigation (a bar at the foot of a phone), notices, live region. */
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { House, Settings, Sprout, type LucideIcon } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { LiveRegion } from '../components/live-region.tsx';
import { Logo } from '../components/logo.tsx';
import { ProblemList } from '../components/problem-list.tsx';
import { WholePageDrop } from '../upload/drop-target.tsx';
import { IdentityButton, SignInHost } from '../identity/identity-button.tsx';
import { AddressNote } from './address-note.tsx';
import { OfflineNote } from './offline-note.tsx';
import { SwarmPill } from './swarm-pill.tsx';

const NAVIGATION = [
  { to: '/', label: 'app.home', icon: House },
  { to: '/seeding', label: 'app.seeding', icon: Sprout },
  { to: '/settings', label: 'app.settings', icon: Settings },
] as const satisfies readonly { to: string; label: string; icon: LucideIcon }[];

function Navigation() {
  const { t } = useTranslation();
  return (
    <nav
      aria-label={t('app.mainNavigation')}
      className="fixed inset-x-0 bottom-0 z-20 flex justify-around border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] sm:static sm:justify-start sm:gap-1 sm:border-0 sm:bg-transparent sm:pb-0"
    >
      {NAVIGATION.map(({ to, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          className="flex min-h-14 flex-1 flex-col items-center justify-center gap-0.5 rounded-control px-3 text-xs font-medium text-muted transition-colors duration-150 hover:text-ink sm:min-h-9 sm:flex-none sm:flex-row sm:text-sm sm:hover:bg-hover [&.active]:text-ink sm:[&.active]:bg-hover"
          activeOptions={{ exact: to === '/' }}
        >
          <Icon aria-hidden size={20} className="sm:hidden" />
          {t(label)}
        </Link>
      ))}
    </nav>
  );
}

function Header() {
  const { t } = useTranslation();
  return (
    <header className="border-b border-line">
      <div className="mx-auto flex min-h-16 max-w-7xl items-center gap-3 px-4 sm:gap-6 sm:px-6">
        <Link
          to="/"
          className="flex items-center gap-2 text-lg font-semibold tracking-tight"
          aria-label={t('app.name')}
        >
          <Logo />
          <span>{t('app.name')}</span>
        </Link>
        <Navigation />
        <div className="ms-auto flex min-w-0 items-center gap-3">
          <SwarmPill />
          <IdentityButton />
        </div>
      </div>
    </header>
  );
}

/** Moves focus to the content after a navigation, so that keyboards and screen readers start at the new page. */
function useFocusOnNavigation() {
  const main = useRef<HTMLElement>(null);
  const pathname = useRouterState({ select: (state) => state.resolvedLocation?.pathname });
  const previous = useRef(pathname);
  useEffect(() => {
    if (previous.current !== undefined && previous.current !== pathname) main.current?.focus();
    previous.current = pathname;
  }, [pathname]);
  return main;
}

export function Shell() {
  const { t } = useTranslation();
  const main = useFocusOnNavigation();
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only rounded-control bg-action px-4 py-2 text-on-action focus:not-sr-only focus:fixed focus:start-4 focus:top-3 focus:z-50"
      >
        {t('app.skip')}
      </a>
      <Header />
      <OfflineNote />
      <AddressNote />
      <main id="content" ref={main} tabIndex={-1} className="flex-1 pb-20 sm:pb-0">
        <Outlet />
      </main>
      <WholePageDrop />
      <SignInHost />
      <ProblemList />
      <LiveRegion />
    </div>
  );
}
