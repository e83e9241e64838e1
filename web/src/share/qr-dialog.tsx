/** The link as a QR code, drawn here; always dark on white, as cameras want it. */
import { useTranslation } from 'react-i18next';
import { encode } from 'uqr';
import { Modal } from '../components/dialog.tsx';

/** Modules of light around the code that scanners need. */
const QUIET_ZONE = 4;

function pathOf(rows: readonly (readonly boolean[])[]): string {
  return rows.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
}

export function QrDialog({ link, onClose }: { readonly link: string; readonly onClose: () => void }) {
  const { t } = useTranslation();
  const { data, size } = encode(link, { border: QUIET_ZONE, ecc: 'M' });
  return (
    <Modal isOpen onClose={onClose} title={t('medium.qrTitle')} lead={t('medium.qrLead')}>
      <svg
        role="img"
        aria-label={t('medium.qrAlt')}
        viewBox={`0 0 ${size} ${size}`}
        shapeRendering="crispEdges"
        className="mx-auto w-full max-w-72 rounded-control"
      >
        <rect width={size} height={size} fill="#fff" />
        <path d={pathOf(data)} fill="#000" />
      </svg>
    </Modal>
  );
}
